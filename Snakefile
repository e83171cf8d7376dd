# The entry from the repository's root. An included file's default target is dropped, so it is
# named again here; `snakemake -s workflow/Snakefile` runs the same jobs.
include: "workflow/Snakefile"


rule all:
    default_target: True
    input:
        rules.sweep.input,
