from lindiff.report.workflow import table_memory


# Finished parts are inputs `before_update`: plain files, without a job that could be run for them.
rule collect:
    input:
        plan=str(sweep.plan.file),
        finished=[before_update(part) for part in sweep.reused],
        pending=sweep.pending,
    output:
        sweep.tables,
    log:
        f"{sweep.folder}/logs/collect.log",
    conda:
        "../envs/lindiff.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: table_memory(sweep.plan, attempt),
        runtime=lambda wildcards, attempt: 30 * attempt,
    shell:
        "lindiff collect -- {input.plan:q} 2>&1 | tee -- {log:q}"
