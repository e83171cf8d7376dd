from lindiff.report.resources import table_memory


# Finished parts are inputs `before_update`: plain files, without a job that could be run for them.
# The last plan of refined axes stands for its parts, which are not known before.
rule collect:
    input:
        plan=sweep.plans.last,
        finished=[] if sweep.plans.refined else map(before_update, sweep.reused),
        pending=[] if sweep.plans.refined else sweep.pending,
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
