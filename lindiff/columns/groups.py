"""Settings that go together, by name, and the one value that many rooms know.

No id and no number hangs on the order of the names of a group.
"""

from __future__ import annotations

# The value of the setting `data` that is no data set.
GAUSSIAN = "gaussian"
# The value of the setting `mixture` that is one Gaussian.
ONE_CLASS = "none"
# The value of the setting `augmentation` that leaves the training set as it is.
NOT_AUGMENTED = "none"

SPECTRUM = ("spectrum", "spectrum_params")
# Of a population of Gaussian data: the eigenvalues of its covariance.
COVARIANCE = (*SPECTRUM, "d", "scale")
# Of a training set: the group whose orbit it is.
AUGMENTATION = ("augmentation", "group_size")
SCHEDULE = ("schedule", "beta_min", "beta_max", "timesteps")
SAMPLING = ("sampler", "final_noise", "sampling_steps", "truncation")
# Of a linear model: the fields of `lindiff.science.filters.Training` but the rms of the data.
REGULARIZATION = ("ridge", "weight_decay", "weighting", "stop", "learning_rate", "init_scale")
# Of a training run, beside learning rate, weight decay, stop and seed; and of a network.
RUN = ("optimizer", "steps", "batch_size", "warm_up", "learning_rate_decay", "ema", "precision")
NETWORK = ("width", "preconditioning", "dropout")
# Of random features.
RANDOM_FEATURES = ("features", "activation")
# Repetitions, over which means are taken.
REPEATS = ("seed", "train_seed")
