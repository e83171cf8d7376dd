"""What a person or Snakemake is shown: plan, status, queries, curves, answers in words."""
