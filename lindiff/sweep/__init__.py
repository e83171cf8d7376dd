"""From experiments to the table: cells, plan, specs, parts, and what is collected of them."""
