# What a search along a refined axis needs next is known once its cells are finished: each later round
# is planned by a checkpoint, from the plan before it. The rule `searched` writes the last plan under
# a name that is known beforehand, so that all rules after it stay as they are.
def later_plan(number):
    return checkpoints.next_round.get(number=number).output[0]


def plan_before(wildcards):
    return sweep.plans.before(int(wildcards.number), later_plan)


checkpoint next_round:
    input:
        plan=lambda wildcards: str(plan_before(wildcards).file),
        parts=lambda wildcards: sweep.parts(plan_before(wildcards)),
    output:
        sweep.plans.following,
    log:
        f"{sweep.folder}/logs/round-{{number}}.log",
    wildcard_constraints:
        number=r"[0-9]+",
    localrule: True
    conda:
        "../envs/lindiff.yaml"
    shell:
        "lindiff replan --out {output:q} -- {input.plan:q} > {log:q} 2>&1"
        " || {{ code=$?; cat -- {log:q} >&2; exit $code; }}"


rule searched:
    input:
        plan=lambda wildcards: str(sweep.plans.closing(later_plan).file),
        parts=lambda wildcards: sweep.parts(sweep.plans.closing(later_plan)),
    output:
        sweep.plans.last,
    log:
        f"{sweep.folder}/logs/searched.log",
    localrule: True
    conda:
        "../envs/lindiff.yaml"
    shell:
        "lindiff replan --out {output:q} -- {input.plan:q} > {log:q} 2>&1"
        " || {{ code=$?; cat -- {log:q} >&2; exit $code; }}"
