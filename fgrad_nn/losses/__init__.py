"""Losses: how far predictions are from targets, as one number.

Predictions come first, targets second. `checking` tells what arguments that all share mean.
"""

from .binary import binary_cross_entropy as binary_cross_entropy
from .binary import dice_loss as dice_loss
from .binary import hinge_loss as hinge_loss
from .binary import perceptron_loss as perceptron_loss
from .binary import sigmoid_binary_cross_entropy as sigmoid_binary_cross_entropy
from .binary import sigmoid_focal_loss as sigmoid_focal_loss
from .binary import soft_margin_loss as soft_margin_loss
from .binary import squared_hinge_loss as squared_hinge_loss
from .binary import tversky_loss as tversky_loss
from .classes import cross_entropy as cross_entropy
from .classes import generalized_kl_divergence as generalized_kl_divergence
from .classes import js_divergence as js_divergence
from .classes import kl_divergence as kl_divergence
from .classes import kl_divergence_with_log_targets as kl_divergence_with_log_targets
from .classes import multi_margin_loss as multi_margin_loss
from .classes import multiclass_hinge_loss as multiclass_hinge_loss
from .classes import nll_loss as nll_loss
from .classes import poly_loss_cross_entropy as poly_loss_cross_entropy
from .classes import smooth_labels as smooth_labels
from .classes import softmax_cross_entropy as softmax_cross_entropy
from .classes import (
    softmax_cross_entropy_with_integer_labels as softmax_cross_entropy_with_integer_labels,
)
from .ctc import ctc_loss as ctc_loss
from .regression import gaussian_nll_loss as gaussian_nll_loss
from .regression import huber_loss as huber_loss
from .regression import l2_loss as l2_loss
from .regression import log_cosh as log_cosh
from .regression import mean_absolute_error as mean_absolute_error
from .regression import mean_squared_error as mean_squared_error
from .regression import poisson_nll_loss as poisson_nll_loss
from .regression import quantile_loss as quantile_loss
from .regression import smooth_l1_loss as smooth_l1_loss
from .similarity import contrastive_loss as contrastive_loss
from .similarity import cosine_distance as cosine_distance
from .similarity import cosine_embedding_loss as cosine_embedding_loss
from .similarity import cosine_similarity as cosine_similarity
from .similarity import hinge_embedding_loss as hinge_embedding_loss
from .similarity import info_nce as info_nce
from .similarity import margin_ranking_loss as margin_ranking_loss
from .similarity import ntxent as ntxent
from .similarity import pairwise_distance as pairwise_distance
from .similarity import triplet_margin_loss as triplet_margin_loss
from .structured import fenchel_young_loss as fenchel_young_loss
from .structured import multiclass_perceptron_loss as multiclass_perceptron_loss
from .structured import multiclass_sparsemax_loss as multiclass_sparsemax_loss
from .structured import multilabel_margin_loss as multilabel_margin_loss
from .structured import multilabel_soft_margin_loss as multilabel_soft_margin_loss
from .structured import ranking_softmax_loss as ranking_softmax_loss
from .structured import sparsemax_loss as sparsemax_loss
