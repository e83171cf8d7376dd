"""Means over seeds, and what is no such mean."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import lindiff
from lindiff.drawing import tables
from lindiff.drawing.intervals import geometric_mean_interval, mean_interval, median_interval
from lindiff.errors import InputError


def cells(**more):
    """Two N, two ridges, five seeds; a test loss and a KL."""
    rng = np.random.default_rng(0)
    rows = [
        {"model": "linear_exact", "d": 4, "n": n, "ridge": c, "seed": seed, **more}
        for n in (8, 16)
        for c in (0.0, 0.1)
        for seed in range(5)
    ]
    loss = rng.lognormal(size=len(rows))
    return pd.DataFrame(rows).assign(
        n_over_d=lambda f: f["n"] / f["d"], test_loss=loss, kl=loss**2, status="ok"
    )


@pytest.mark.parametrize(
    ("centre", "estimator"),
    [
        ("mean", mean_interval),
        ("geometric_mean", geometric_mean_interval),
        ("median", median_interval),
    ],
)
def test_it_is_the_interval_of_the_figures(centre, estimator):
    frame = cells()
    found = lindiff.summary(frame, ["test_loss", "kl"], by=["n", "ridge"], centre=centre)
    own = tables.summarise(
        pa.Table.from_pandas(frame), ["n", "ridge"], ["test_loss", "kl"], estimator
    )
    pd.testing.assert_frame_equal(found.drop(columns="left_out"), own.to_pandas())
    assert (found["left_out"] == 0).all()


def test_one_group_of_all_rows():
    frame = cells().query("n == 8 and ridge == 0")
    found = lindiff.summary(frame, "test_loss")
    own = mean_interval(frame["test_loss"])
    assert found.to_dict("records") == [
        {"quantity": "test_loss", "value": own.value, "low": own.low, "high": own.high,
         "seeds": 5, "left_out": 0}
    ]  # fmt: skip


def test_what_is_not_ok_or_null_is_left_out_and_counted():
    frame = cells()
    frame.loc[0, "status"] = "diverged"
    frame.loc[1, "test_loss"] = np.nan
    frame.loc[0, "test_loss"] = 1e9
    found = lindiff.summary(frame, "test_loss", by=["n", "ridge"])
    assert found["seeds"].tolist() == [3, 5, 5, 5]
    assert found["left_out"].tolist() == [2, 0, 0, 0]
    assert found["value"].max() < 1e3


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("n", "ridge varies within a group (ridge: 0.0, 0.1), and only seeds are averaged over"),
        ("ridge", "n varies within a group (n: 8, 16)"),
        (
            (),
            "n, ridge vary within a group (n: 8, 16), and only seeds are averaged over: name them",
        ),
        (("seed", "n"), "ridge varies"),
    ],
)
def test_a_setting_that_varies_is_named(by, words):
    with pytest.raises(InputError) as caught:
        lindiff.summary(cells(), "test_loss", by=by)
    assert words in str(caught.value)


def test_a_setting_that_some_rows_do_not_have_varies():
    frame = cells().query("ridge == 0")
    frame.loc[frame["seed"] == 0, "ridge"] = np.nan
    with pytest.raises(InputError, match=r"ridge varies within a group \(ridge: 0.0, null\)"):
        lindiff.summary(frame, "test_loss", by="n")


def test_n_goes_with_d_where_their_ratio_is_named():
    frame = cells().query("ridge == 0")
    other = frame.assign(d=8, n=frame["n"] * 2)
    frame = pd.concat([frame, other], ignore_index=True)
    with pytest.raises(InputError, match=r"summary: d varies within"):
        lindiff.summary(frame, "test_loss", by="n_over_d")
    assert len(lindiff.summary(frame, "test_loss", by=["n_over_d", "d"])) == 4


def test_a_spectrum_is_named_once_and_its_parameters_where_words_are_the_same():
    frame = cells(spectrum="eigenvalues").query("ridge == 0 and n == 8")
    frame = frame.assign(spectrum_params=["a", "b", "a", "b", "a"])
    with pytest.raises(InputError, match="summary: spectrum_params varies"):
        lindiff.summary(frame, "test_loss", by="spectrum")
    frame["spectrum"] = ["one", "two", "one", "two", "one"]
    with pytest.raises(InputError, match="summary: spectrum varies"):
        lindiff.summary(frame, "test_loss")


def test_a_repeated_seed_is_not_another_training_set():
    frame = cells().query("ridge == 0")
    levels = pd.concat([frame.assign(t=t) for t in (1, 7)], ignore_index=True)
    with pytest.raises(InputError, match=r"t varies within a group \(t: 1, 7\)"):
        lindiff.summary(levels, "test_loss", by="n")
    assert lindiff.summary(levels, "test_loss", by=["n", "t"])["seeds"].tolist() == [5] * 4
    with pytest.raises(InputError, match="the same seed, and nothing tells them apart"):
        lindiff.summary(pd.concat([frame, frame]), "test_loss", by="n")
    trained = pd.concat([frame.assign(train_seed=s) for s in (0, 1)])
    with pytest.raises(InputError, match="train_seed varies"):
        lindiff.summary(trained, "test_loss", by="n")


def test_keys_keep_their_types():
    frame = cells().astype({"n": "Int64", "model": "category"})
    found = lindiff.summary(frame, "test_loss", by=["model", "n", "ridge"])
    assert found["model"].dtype == frame["model"].dtype
    assert found["n"].dtype == "Int64"
    frame.attrs = {"labels": {"n": "$N$"}}
    assert lindiff.summary(frame, "test_loss", by=["n", "ridge"]).attrs == frame.attrs


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"metrics": "test_los"}, "metrics: no column 'test_los' (did you mean test_loss?)"),
        ({"by": ["n", "rigde"]}, "by: no column 'rigde' (did you mean ridge?)"),
        ({"metrics": "status"}, "metrics: status holds no numbers"),
        ({"metrics": []}, "name one column at least"),
        ({"metrics": "n"}, "n: in by and in metrics"),
        ({"centre": "geometric"}, "centre = 'geometric': not a known value; allowed: mean, geom"),
        ({"metrics": "negative", "centre": "geometric_mean"}, "needs values that are not negative"),
    ],
)
def test_what_it_cannot_do_is_told(call, words):
    frame = cells().assign(negative=-1.0)
    with pytest.raises(InputError) as caught:
        lindiff.summary(frame, **({"metrics": "test_loss", "by": ["n", "ridge"]} | call))
    assert words in str(caught.value)


def test_what_is_no_frame_is_told():
    with pytest.raises(InputError, match="a data frame is needed, not dict"):
        lindiff.summary({"test_loss": [1.0]}, "test_loss")
