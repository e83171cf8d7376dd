from lindiff.report.resources import table_memory
from lindiff.report.sources import (
    answers_sources,
    figure_caption,
    figure_category,
    figure_sources,
    page_sources,
)


rule figure:
    input:
        plan=sweep.plans.last,
        tables=sweep.tables,
        sources=lambda wildcards: figure_sources(wildcards.figure),
    output:
        pdf=report(
            f"{sweep.folder}/figures/{{figure}}.pdf",
            category=lambda wildcards: figure_category(wildcards.figure),
            caption="../report/figure.rst",
            labels={"figure": "{figure}", "file": "PDF"},
        ),
        png=report(
            f"{sweep.folder}/figures/{{figure}}.png",
            category=lambda wildcards: figure_category(wildcards.figure),
            caption="../report/figure.rst",
            labels={"figure": "{figure}", "file": "PNG"},
        ),
        text=f"{sweep.folder}/figures/{{figure}}.txt",
        latex=f"{sweep.folder}/figures/{{figure}}.tex",
        data=report(
            f"{sweep.folder}/figures/{{figure}}.parquet",
            category=lambda wildcards: figure_category(wildcards.figure),
            caption="../report/figure.rst",
            labels={"figure": "{figure}", "file": "data"},
        ),
    log:
        f"{sweep.folder}/logs/figure-{{figure}}.log",
    conda:
        "../envs/lindiff.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: table_memory(sweep.plan, attempt),
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        # Of the output, so that no other caption runs it: what changes captions are inputs.
        caption=lambda wildcards, output: figure_caption(wildcards.figure, output.text),
    shell:
        "lindiff figures -- {input.plan:q} {wildcards.figure:q} > {log:q} 2>&1"


# Words with numbers from the data of the figures.
rule answers:
    input:
        plan=sweep.plans.last,
        data=sweep.drawn_data,
        sources=answers_sources(),
    output:
        report(
            f"{sweep.folder}/answers.html",
            category="Answers",
            caption="../report/answers.rst",
            labels={"figure": "answers in words", "file": "HTML"},
        ),
    log:
        f"{sweep.folder}/logs/answers.log",
    conda:
        "../envs/lindiff.yaml"
    shell:
        "lindiff answers -- {input.plan:q} > {log:q} 2>&1"


# All of it on one page, with an explorer of the table.
rule page:
    input:
        plan=sweep.plans.last,
        tables=sweep.tables,
        drawn=sweep.drawn,
        answers=sweep.answers,
        sources=page_sources(),
    output:
        report(
            sweep.page,
            category="Page",
            caption="../report/page.rst",
            labels={"figure": "answers, figures, explorer", "file": "HTML"},
        ),
    log:
        f"{sweep.folder}/logs/page.log",
    conda:
        "../envs/lindiff.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: table_memory(sweep.plan, attempt),
        runtime=lambda wildcards, attempt: 30 * attempt,
    shell:
        "lindiff page -- {input.plan:q} > {log:q} 2>&1"
