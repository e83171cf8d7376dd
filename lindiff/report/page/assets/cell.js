"use strict";
// One cell in full: its settings and metrics, and the commands that compute it again and show it.

/** Show the cells of a point, one at a time. */
function showCells(table, point, experimentOf, place, at = 0) {
  const row = point.rows[at];
  const { id, config, folder } = rowOrigin(table, row);
  place.replaceChildren();
  const title = append(place, "h3", `Cell ${id.slice(0, 8)}…`);
  title.tabIndex = -1;
  if (point.rows.length > 1) place.append(turner(table, point, experimentOf, place, at));
  append(place, "p", `Of the config ${config}, experiments: ${experimentOf(row).join(", ")}. `
    + "To run in the folder that the sweep was started in:");
  appendCommand(place, `lindiff recompute ${folder} ${id}`,
    "computes it again and compares it with the table; a network is trained again");
  appendCommand(place, `lindiff cells ${folder} cell_id=${id}`, "prints all digits of the table");
  const settings = table.settings
    .map((column) => [column, valueText(column.values[column.codes[row]])])
    .filter(([column]) => column.values[column.codes[row]] !== null);
  const metrics = table.metrics.filter((column) => !Number.isNaN(column.data[row]))
    .map((column) => [column, `${numberText(column.data[row])} ${column.unit}`]);
  const both = append(place, "div", "");
  both.className = "both";
  both.append(factTable("Metrics", metrics), factTable("Settings", settings));
  return title;
}

/** A command, what it does, and a button that copies it. */
function appendCommand(place, command, what) {
  const line = append(place, "p", "");
  append(line, "code", command);
  append(line, "button", "Copy the command").addEventListener("click", async (event) => {
    await copyText(command);
    event.target.textContent = "Copied";
  });
  append(line, "span", ` ${what}`);
}

/** To the cells of a point before and after, which differ in their seed. */
function turner(table, point, experimentOf, place, at) {
  const line = document.createElement("p");
  const turn = (step) => () => {
    const next = (at + step + point.rows.length) % point.rows.length;
    showCells(table, point, experimentOf, place, next);
    place.querySelector(step > 0 ? ".next" : ".previous").focus();
  };
  const before = append(line, "button", "Previous");
  append(line, "span", ` ${at + 1} of ${point.rows.length} cells of this point `);
  const after = append(line, "button", "Next");
  before.className = "previous";
  after.className = "next";
  before.addEventListener("click", turn(-1));
  after.addEventListener("click", turn(1));
  return line;
}

function factTable(caption, facts) {
  const element = document.createElement("table");
  append(element, "caption", caption);
  for (const [column, text] of facts) {
    const line = append(element, "tr", "");
    const head = append(line, "th", column.label === column.name ? "" : `${column.label} `);
    head.scope = "row";
    head.title = column.help;
    append(head, "code", column.name);
    append(line, "td", text);
  }
  return element;
}

/** A new element with a text, at the end of another. */
function append(parent, name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  parent.append(element);
  return element;
}
