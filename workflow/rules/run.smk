from lindiff.report.ending import memory
from lindiff.report.resources import gpus, minutes


# The plan file is named by what it says: it exists exactly when there is nothing new to plan.
# Local, and said here: a list of `localrules` loses its names where a module renames its rules.
rule plan:
    output:
        sweep.plans.planned,
    log:
        f"{sweep.folder}/logs/plan.log",
    localrule: True
    conda:
        "../envs/lindiff.yaml"
    params:
        file=lambda wildcards: sweep.path,  # as a text its braces would be wildcards
        settings=lambda wildcards: list(sweep.plan.config.overrides),
        digest=sweep.plan.digest,
    shell:
        "lindiff plan --write {output:q} --digest {params.digest:q}"
        " -- {params.file:q} {params.settings:q} > {log:q} 2>&1"


# `update`: Snakemake would delete a part before its job, but the part that another process has just
# finished is to be found by the job, which then has nothing to do.
rule shard:
    input:
        lambda wildcards: sweep.plans.file_with(wildcards.shard),
    output:
        update(f"{sweep.store}/parts/{{shard}}.parquet"),
    log:
        f"{sweep.folder}/logs/{{shard}}.log",
    conda:
        "../envs/lindiff.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: memory(sweep.shard(wildcards.shard), attempt),
        runtime=lambda wildcards, attempt: minutes(
            sweep.shard(wildcards.shard), attempt
        ),
        gpu=lambda wildcards: gpus(sweep.shard(wildcards.shard), sweep.plan.config),
    params:
        device=sweep.plan.config.device,
        spec=f"{sweep.store}/specs/{{shard}}.parquet",
    shell:
        "export LINDIFF_MEM_MB={resources.mem_mb}; "
        "lindiff run --out {output:q} --device {params.device:q} -- {params.spec:q} > {log:q} 2>&1"
        " || {{ code=$?; python -m lindiff.report.ending {params.spec:q} $code >> {log:q} 2>&1;"
        " exit $code; }}"
