"""The sources of what a config may name, as BibTeX: one place for each work, one for who needs it.

What has no single source has none here.
"""

from __future__ import annotations

from collections.abc import Iterable

from lindiff.config.resolve import Experiment

# Key: kind, then the fields of BibTeX.
WORKS: dict[str, tuple[str, dict[str, str]]] = {
    "merger2025": ("misc", {
        "author": "Merger, Claudia and Goldt, Sebastian", "year": "2025",
        "title": "Generalization Dynamics of Linear Diffusion Models", "eprint": "2505.24769"}),
    "ho2020": ("inproceedings", {
        "author": "Ho, Jonathan and Jain, Ajay and Abbeel, Pieter", "year": "2020",
        "title": "Denoising Diffusion Probabilistic Models", "eprint": "2006.11239",
        "booktitle": "Advances in Neural Information Processing Systems"}),
    "song2021": ("inproceedings", {
        "author": "Song, Jiaming and Meng, Chenlin and Ermon, Stefano", "year": "2021",
        "title": "Denoising Diffusion Implicit Models", "eprint": "2010.02502",
        "booktitle": "International Conference on Learning Representations"}),
    "song2021sde": ("inproceedings", {
        "author": "Song, Yang and Sohl-Dickstein, Jascha and Kingma, Diederik P. and Kumar, "
        "Abhishek and Ermon, Stefano and Poole, Ben", "year": "2021",
        "title": "Score-Based Generative Modeling through Stochastic Differential Equations",
        "eprint": "2011.13456",
        "booktitle": "International Conference on Learning Representations"}),
    "pierret2025": ("inproceedings", {
        "author": "Pierret, {\\'E}mile and Galerne, Bruno", "year": "2025",
        "title": "Diffusion models for Gaussian distributions: Exact solutions and Wasserstein "
        "errors", "eprint": "2405.14250",
        "booktitle": "International Conference on Machine Learning"}),
    "nichol2021": ("inproceedings", {
        "author": "Nichol, Alexander Quinn and Dhariwal, Prafulla", "year": "2021",
        "title": "Improved Denoising Diffusion Probabilistic Models", "eprint": "2102.09672",
        "booktitle": "International Conference on Machine Learning"}),
    "karras2022": ("inproceedings", {
        "author": "Karras, Tero and Aittala, Miika and Aila, Timo and Laine, Samuli",
        "title": "Elucidating the Design Space of Diffusion-Based Generative Models",
        "year": "2022", "eprint": "2206.00364",
        "booktitle": "Advances in Neural Information Processing Systems"}),
    "salimans2022": ("inproceedings", {
        "author": "Salimans, Tim and Ho, Jonathan", "year": "2022", "eprint": "2202.00512",
        "title": "Progressive Distillation for Fast Sampling of Diffusion Models",
        "booktitle": "International Conference on Learning Representations"}),
    "hang2023": ("inproceedings", {
        "author": "Hang, Tiankai and Gu, Shuyang and Li, Chen and Bao, Jianmin and Chen, Dong and "
        "Hu, Han and Geng, Xin and Guo, Baining", "year": "2023", "eprint": "2303.09556",
        "title": "Efficient Diffusion Training via Min-SNR Weighting Strategy",
        "booktitle": "International Conference on Computer Vision"}),
    "chen2020": ("article", {
        "author": "Chen, Shuxiao and Dobriban, Edgar and Lee, Jane H.", "year": "2020",
        "title": "A Group-Theoretic Framework for Data Augmentation", "volume": "21",
        "journal": "Journal of Machine Learning Research", "number": "245"}),
    "bach2023": ("misc", {
        "author": "Bach, Francis", "year": "2023", "eprint": "2303.01372",
        "title": "High-dimensional analysis of double descent for linear regression with random "
        "projections"}),
    "silverstein1995": ("article", {
        "author": "Silverstein, Jack W. and Choi, Sang-Il", "year": "1995",
        "title": "Analysis of the Limiting Spectral Distribution of Large Dimensional Random "
        "Matrices", "journal": "Journal of Multivariate Analysis", "volume": "54"}),
    "ledoit2004": ("article", {
        "author": "Ledoit, Olivier and Wolf, Michael", "year": "2004",
        "title": "A well-conditioned estimator for large-dimensional covariance matrices",
        "journal": "Journal of Multivariate Analysis", "volume": "88"}),
    "kingma2015": ("inproceedings", {
        "author": "Kingma, Diederik P. and Ba, Jimmy", "year": "2015", "eprint": "1412.6980",
        "title": "Adam: A Method for Stochastic Optimization",
        "booktitle": "International Conference on Learning Representations"}),
    "loshchilov2019": ("inproceedings", {
        "author": "Loshchilov, Ilya and Hutter, Frank", "year": "2019", "eprint": "1711.05101",
        "title": "Decoupled Weight Decay Regularization",
        "booktitle": "International Conference on Learning Representations"}),
    "ronneberger2015": ("inproceedings", {
        "author": "Ronneberger, Olaf and Fischer, Philipp and Brox, Thomas", "year": "2015",
        "title": "U-Net: Convolutional Networks for Biomedical Image Segmentation",
        "eprint": "1505.04597",
        "booktitle": "Medical Image Computing and Computer-Assisted Intervention"}),
    "perez2018": ("inproceedings", {
        "author": "Perez, Ethan and Strub, Florian and de Vries, Harm and Dumoulin, Vincent and "
        "Courville, Aaron", "year": "2018", "eprint": "1709.07871",
        "title": "FiLM: Visual Reasoning with a General Conditioning Layer",
        "booktitle": "AAAI Conference on Artificial Intelligence"}),
    "alpaydin1998": ("misc", {
        "author": "Alpaydin, E. and Kaynak, C.", "year": "1998",
        "title": "Optical Recognition of Handwritten Digits",
        "howpublished": "UCI Machine Learning Repository"}),
    "lecun1998": ("article", {
        "author": "LeCun, Yann and Bottou, L{\\'e}on and Bengio, Yoshua and Haffner, Patrick",
        "title": "Gradient-Based Learning Applied to Document Recognition", "year": "1998",
        "journal": "Proceedings of the IEEE", "volume": "86"}),
    "vanderwalt2014": ("article", {
        "author": "van der Walt, St{\\'e}fan and others", "year": "2014", "journal": "PeerJ",
        "title": "scikit-image: image processing in Python", "volume": "2"}),
    "kadkhodaie2024": ("inproceedings", {
        "author": "Kadkhodaie, Zahra and Guth, Florentin and Simoncelli, Eero P. and "
        "Mallat, St{\\'e}phane", "year": "2024", "eprint": "2310.02557",
        "title": "Generalization in diffusion models arises from geometry-adaptive harmonic "
        "representations", "booktitle": "International Conference on Learning Representations"}),
    "wang2025": ("misc", {
        "author": "Wang, Binxu and Pehlevan, Cengiz", "year": "2025", "eprint": "2503.03206",
        "title": "An Analytical Theory of Spectral Bias in the Learning Dynamics of Diffusion "
        "Models"}),
    "biroli2024": ("article", {
        "author": "Biroli, Giulio and Bonnaire, Tony and de Bortoli, Valentin and "
        "M{\\'e}zard, Marc", "year": "2024", "title": "Dynamical regimes of diffusion models",
        "journal": "Nature Communications", "volume": "15", "eprint": "2402.18491"}),
    "bonnaire2025": ("misc", {
        "author": "Bonnaire, Tony and Urfin, Rapha{\\\"e}l and Biroli, Giulio and "
        "M{\\'e}zard, Marc",
        "title": "Why Diffusion Models Don't Memorize: The Role of Implicit Dynamical "
        "Regularization in Training", "year": "2025", "eprint": "2505.17638"}),
    "george2025": ("misc", {
        "author": "George, Anand Jerry and Veiga, Rodrigo and Macris, Nicolas", "year": "2025",
        "title": "Denoising Score Matching with Random Features: Insights on Diffusion Models "
        "from Precise Learning Curves", "eprint": "2502.00336"}),
    "favero2025": ("misc", {
        "author": "Favero, Alessandro and Sclocchi, Antonio and Wyart, Matthieu", "year": "2025",
        "title": "Bigger Isn't Always Memorizing: Early Stopping Overparameterized Diffusion "
        "Models", "eprint": "2505.16959"}),
    "gu2025": ("article", {
        "author": "Gu, Xiangming and Du, Chao and Pang, Tianyu and Li, Chongxuan and Lin, Min and "
        "Wang, Ye", "year": "2025", "title": "On Memorization in Diffusion Models",
        "journal": "Transactions on Machine Learning Research", "eprint": "2310.02664"}),
    "garnierbrun2026": ("misc", {
        "author": "Garnier-Brun, J{\\'e}r{\\^o}me and Biggio, Luca and Beltrame, Davide and "
        "M{\\'e}zard, Marc and Saglietti, Luca", "year": "2026",
        "title": "Biased Generalization in Diffusion Models", "eprint": "2603.03469"}),
    "wang2026": ("misc", {
        "author": "Wang, Binxu and Zavatone-Veth, Jacob and Pehlevan, Cengiz", "year": "2026",
        "title": "A Random Matrix Theory Perspective on the Consistency of Diffusion Models",
        "eprint": "2602.02908"}),
    "li2024": ("inproceedings", {
        "author": "Li, Xiang and Dai, Yixiang and Qu, Qing", "year": "2024",
        "title": "Understanding Generalizability of Diffusion Models Requires Rethinking the "
        "Hidden Gaussian Structure", "eprint": "2410.24060",
        "booktitle": "Advances in Neural Information Processing Systems"}),
    "merger2026": ("misc", {
        "author": "Merger, Claudia and Goldt, Sebastian", "year": "2026",
        "title": "Local Coverage Governs Memorization in Diffusion Models",
        "eprint": "2606.14390"}),
    "bardone2026": ("misc", {
        "author": "Bardone, Lorenzo and Merger, Claudia and Goldt, Sebastian", "year": "2026",
        "title": "A theory of learning data statistics in diffusion models, from easy to hard",
        "eprint": "2603.12901"}),
    "baik2005": ("article", {
        "author": "Baik, Jinho and Ben Arous, G{\\'e}rard and P{\\'e}ch{\\'e}, Sandrine",
        "year": "2005", "title": "Phase Transition of the Largest Eigenvalue for Nonnull Complex "
        "Sample Covariance Matrices", "journal": "Annals of Probability", "volume": "33",
        "pages": "1643--1697"}),
    # Their authors and titles are not known here.
    "openreview_qwp5eaxjtj": ("misc", {
        "howpublished": "https://openreview.net/forum?id=QwP5eaXJTj"}),
    "arxiv2605_21402": ("misc", {"eprint": "2605.21402", "year": "2026"}),
    "arxiv2608_23938": ("misc", {"eprint": "2608.23938", "year": "2026"}),
}  # fmt: skip
ALWAYS = ("merger2025",)  # the setting that all of lindiff is about
# Of every value of these settings the works that it is from.
SOURCES: dict[str, dict[str, tuple[str, ...]]] = {
    "model": {
        "linear_exact": (), "linear_theory": ("bach2023", "silverstein1995"),
        "linear_trained": (), "mlp": ("perez2018",), "unet": ("ronneberger2015", "perez2018"),
        "empirical": ("karras2022",), "ledoit_wolf": ("ledoit2004",),
        "random_features": ("george2025",), "random_features_theory": ("george2025",),
    },
    "sampler": {
        "ideal": (), "ddpm_beta": ("ho2020",), "ddpm_beta_tilde": ("ho2020",),
        "ddim": ("song2021",), "euler": ("song2021sde",),
        "heun": ("song2021sde", "karras2022", "pierret2025"),
    },
    "schedule": {
        "linear": ("ho2020",), "cosine": ("nichol2021",), "constant": (),
        "linear_sde": ("song2021sde",),
    },
    "spectrum": {
        "isotropic": (), "power_law": (), "spiked": (), "two_level": (), "low_rank": (),
        "eigenvalues": (), "dataset": (),
    },
    "data": {
        "gaussian": (), "digits": ("alpaydin1998",), "mnist": ("lecun1998",),
        "patches": ("vanderwalt2014",),
    },
    "optimizer": {
        "adam": ("kingma2015",), "adamw": ("loshchilov2019",), "sgd": (), "gradient_descent": (),
    },
    "preconditioning": {
        "edm": ("karras2022",), "none": (), "x0": ("salimans2022",), "v": ("salimans2022",),
    },
    "weighting": {
        "uniform": (), "x0": ("salimans2022",), "v": ("salimans2022",), "min_snr": ("hang2023",),
        "edm": ("karras2022",),
    },
    "augmentation": {
        "none": (), "flip": ("chen2020",), "shift": ("chen2020",), "flip_shift": ("chen2020",),
        "signs": ("chen2020",),
    },
    "activation": {"erf": (), "relu": (), "identity": ()},
}  # fmt: skip
METRIC_SOURCES: dict[str, tuple[str, ...]] = {
    "uncentred_cosine": ("kadkhodaie2024",),
    "collapse_time": ("biroli2024",),
    "speciation_time": ("biroli2024",),
    "excess_kurtosis": ("bardone2026",),
    "differences": ("wang2026",),
    "coverage": ("merger2026",),
    "copied_auc": ("merger2026",),
}
FIGURE_SOURCES: dict[str, tuple[str, ...]] = {
    "modes": ("wang2025",),
    "overlap": ("baik2005",),
    "training_time": ("bonnaire2025",),
    "feature_times": ("bonnaire2025",),
}


def used(experiments: Iterable[Experiment]) -> list[str]:
    """Keys of the works that experiments rest on, in the order of `WORKS`."""
    found = set(ALWAYS)
    for experiment in experiments:
        axes = [experiment.axes_of(model) for model in experiment.axes["model"]]
        for setting, sources in SOURCES.items():
            values = {str(_name(v)) for one in axes for v in one.get(setting, ())}
            found |= {key for value in values for key in sources.get(value, ())}
        for names, sources in (
            (experiment.metrics, METRIC_SOURCES), (experiment.figures, FIGURE_SOURCES),
        ):  # fmt: skip
            found |= {key for name in names for key in sources.get(name, ())}
        sets = {p["name"] for p in experiment.axes.get("spectrum", ()) if _of_data_set(p)}
        found |= {key for name in sets for key in SOURCES["data"].get(str(name), ())}
    return [key for key in WORKS if key in found]


def _name(value: object) -> object:
    return value.get("kind") if isinstance(value, dict) else value


def _of_data_set(value: object) -> bool:
    return isinstance(value, dict) and "name" in value


def bibtex(keys: Iterable[str]) -> str:
    """The entries of works, titles in braces so that no style changes their capitals.

    Example:
        >>> from lindiff.report import references
        >>> print(references.bibtex(["merger2025"]))
        @misc{merger2025,
          author = {Merger, Claudia and Goldt, Sebastian},
          year = {2025},
          title = {{Generalization Dynamics of Linear Diffusion Models}},
          eprint = {2505.24769},
          archiveprefix = {arXiv},
        }
    """
    return "\n\n".join(_entry(key, *WORKS[key]) for key in keys)


def _entry(key: str, kind: str, fields: dict[str, str]) -> str:
    arxiv = {"archiveprefix": "arXiv"} if "eprint" in fields else {}
    lines = [
        f"  {name} = {{{f'{{{value}}}' if name == 'title' else value}}},"
        for name, value in (fields | arxiv).items()
    ]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
