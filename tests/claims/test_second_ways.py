"""What the remarks of refuted claims say, computed another way.

That of Wang and Pehlevan is in tests/figures/test_modes_at_256.py.
"""

import numpy as np
import pytest
import yaml

from lindiff.report.curve import make_curve
from lindiff.science import optima
from tests.claims.test_verdict import CLAIMS

RATIOS = {  # N/d: best stop of the loss over that of KL(ρ_N‖ρ) and of KL(ρ‖ρ_N), theory at d = 128
    ("isotropic", 1): (0.994, 1.204),
    ("isotropic", 4): (1.047, 1.227),
    ("power_law", 1): (0.750, 1.054),
    ("power_law", 4): (0.770, 0.975),
}


@pytest.mark.parametrize(("kind", "ratio"), RATIOS)
def test_the_theory_of_the_best_stops(kind, ratio):
    spectrum = "{power_law: 1.0}" if kind == "power_law" else kind
    names = ("residual_loss", "kl_model_data", "kl_data_model")
    settings = ("d=128", f"n={128 * ratio}", f"spectrum={spectrum}", "sampler=ddpm_beta",
                "stop={log: [0.1, 1.0e+5, 121]}")  # fmt: skip
    curve = make_curve(settings, names, 1000).table.to_pydict()
    stops = np.array(curve["stop"])
    best = {name: optima.minimum(stops, np.array(curve[name])).x for name in names}
    ratios = [best["residual_loss"] / best[name] for name in ("kl_model_data", "kl_data_model")]
    assert ratios == pytest.approx(RATIOS[kind, ratio], abs=2e-3)


def test_remarks_have_these_numbers():
    text = (CLAIMS / "arxiv2608_23938.yaml").read_text(encoding="utf-8")
    remarks = {name: one.get("remark", "") for name, one in yaml.safe_load(text)["claims"].items()}
    for kind, word in (("isotropic", "isotropic_data"), ("power_law", "a_power_law")):
        for i, metric in enumerate(("kl_model_data", "kl_data_model")):
            remark = remarks[f"loss_best_is_not_{metric}_best_of_{word}"]
            for ratio in (1, 4):
                assert f"{RATIOS[kind, ratio][i]:.3g}" in remark
