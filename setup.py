"""What pyproject.toml cannot say: the package has the workflow and the example configs in it."""

from setuptools import find_packages, setup

# Where the wheel has each folder: `lindiff.report.launch` finds them there, or in the checkout.
PACKED = {"lindiff._workflow": "workflow", "lindiff._configs": "config"}

setup(
    packages=[*find_packages(include=["lindiff*"]), *PACKED],
    package_dir=PACKED,
    include_package_data=False,
    package_data={
        "lindiff": ["py.typed", "claims/page.html", "report/page/assets/*", "report/vendor/*/*"],
        "lindiff._workflow": ["Snakefile", "rules/*", "profiles/*/*", "report/*", "envs/*"],
        "lindiff._configs": ["*", "claims/*", "claims/sweeps/*"],
    },
)
