"""Optimizers: pairs of pure functions, on the contract of optax.

>>> import numpy as np
>>> from fgrad import grad
>>> from fgrad_nn.optimizers import adamw, apply_updates, chain, clip_by_global_norm
>>> loss = lambda params: np.sum((params["w"] - 3.0) ** 2)
>>> opt = chain(clip_by_global_norm(1.0), adamw(0.1))
>>> params = {"w": np.zeros(2)}
>>> state = opt.init(params)
>>> for step in range(100):
...     updates, state = opt.update(grad(loss)(params), state, params)
...     params = apply_updates(params, updates)
>>> params["w"].round(1)
array([3., 3.])

An optimizer is a chain of transformations, which may be put together at will. All of them work
under fgrad's transformations: training differentiates by its learning rate, and `vmap` trains an
ensemble. Gradients are compared with the parameters in structure, shape and dtype; leaves keep
their dtype, and Python floats stay floats.
"""

from .accumulating import ApplyEveryState as ApplyEveryState
from .accumulating import BiasCorrectionState as BiasCorrectionState
from .accumulating import EmaState as EmaState
from .accumulating import ScaleByOptimisticGradientState as ScaleByOptimisticGradientState
from .accumulating import TraceState as TraceState
from .accumulating import apply_every as apply_every
from .accumulating import bias_correction as bias_correction
from .accumulating import ema as ema
from .accumulating import scale_by_optimistic_gradient as scale_by_optimistic_gradient
from .accumulating import trace as trace
from .adaptive import adabelief as adabelief
from .adaptive import adam as adam
from .adaptive import adamax as adamax
from .adaptive import adamaxw as adamaxw
from .adaptive import adamw as adamw
from .adaptive import adan as adan
from .adaptive import amsgrad as amsgrad
from .adaptive import lamb as lamb
from .adaptive import nadam as nadam
from .adaptive import nadamw as nadamw
from .adaptive import optimistic_adam as optimistic_adam
from .adaptive import radam as radam
from .adaptive import yogi as yogi
from .adding import AddNoiseState as AddNoiseState
from .adding import ZeroNansState as ZeroNansState
from .adding import add_decayed_weights as add_decayed_weights
from .adding import add_noise as add_noise
from .adding import keep_params_nonnegative as keep_params_nonnegative
from .adding import zero_nans as zero_nans
from .averaging import LookaheadState as LookaheadState
from .averaging import ParamsEmaState as ParamsEmaState
from .averaging import SplitParts as SplitParts
from .averaging import SplitRealAndImaginaryState as SplitRealAndImaginaryState
from .averaging import flatten as flatten
from .averaging import lookahead as lookahead
from .averaging import params_average as params_average
from .averaging import params_ema as params_ema
from .averaging import split_real_and_imaginary as split_real_and_imaginary
from .basic import fromage as fromage
from .basic import lars as lars
from .basic import lion as lion
from .basic import noisy_sgd as noisy_sgd
from .basic import novograd as novograd
from .basic import optimistic_gradient_descent as optimistic_gradient_descent
from .basic import polyak_sgd as polyak_sgd
from .basic import rprop as rprop
from .basic import sgd as sgd
from .basic import sign_sgd as sign_sgd
from .basic import signum as signum
from .basic import sm3 as sm3
from .clipping import adaptive_grad_clip as adaptive_grad_clip
from .clipping import clip as clip
from .clipping import clip_by_block_rms as clip_by_block_rms
from .clipping import clip_by_global_norm as clip_by_global_norm
from .clipping import per_example_global_norm_clip as per_example_global_norm_clip
from .combining import apply_updates as apply_updates
from .combining import chain as chain
from .combining import identity as identity
from .combining import incremental_update as incremental_update
from .combining import named_chain as named_chain
from .combining import periodic_update as periodic_update
from .combining import set_to_zero as set_to_zero
from .combining import stateless as stateless
from .combining import stateless_with_tree_map as stateless_with_tree_map
from .distance import DAdaptState as DAdaptState
from .distance import DoGState as DoGState
from .distance import dadapt_adamw as dadapt_adamw
from .distance import dog as dog
from .distance import dowg as dowg
from .distance import prodigy as prodigy
from .distance import scale_by_dog as scale_by_dog
from .distance import scale_by_dowg as scale_by_dowg
from .free import ScheduleFreeState as ScheduleFreeState
from .free import schedule_free as schedule_free
from .free import schedule_free_adamw as schedule_free_adamw
from .free import schedule_free_eval_params as schedule_free_eval_params
from .free import schedule_free_sgd as schedule_free_sgd
from .from_start import COCOBState as COCOBState
from .from_start import MadgradState as MadgradState
from .from_start import cocob as cocob
from .from_start import madgrad as madgrad
from .from_start import scale_by_cocob as scale_by_cocob
from .from_start import scale_by_madgrad as scale_by_madgrad
from .hyperparams import InjectHyperparamsState as InjectHyperparamsState
from .hyperparams import inject_hyperparams as inject_hyperparams
from .leaves import global_norm as global_norm
from .linesearch import LinesearchInfo as LinesearchInfo
from .linesearch import ScaleByBacktrackingLinesearchState as ScaleByBacktrackingLinesearchState
from .linesearch import scale_by_backtracking_linesearch as scale_by_backtracking_linesearch
from .linesearch import value_and_grad_from_state as value_and_grad_from_state
from .masking import MaskedNode as MaskedNode
from .masking import MaskedState as MaskedState
from .masking import PartitionState as PartitionState
from .masking import freeze as freeze
from .masking import masked as masked
from .masking import multi_transform as multi_transform
from .masking import partition as partition
from .masking import selective_transform as selective_transform
from .moments import ScaleByAdamState as ScaleByAdamState
from .moments import ScaleByAdanState as ScaleByAdanState
from .moments import ScaleByAmsgradState as ScaleByAmsgradState
from .moments import scale_by_adam as scale_by_adam
from .moments import scale_by_adamax as scale_by_adamax
from .moments import scale_by_adan as scale_by_adan
from .moments import scale_by_amsgrad as scale_by_amsgrad
from .moments import scale_by_belief as scale_by_belief
from .moments import scale_by_radam as scale_by_radam
from .moments import scale_by_yogi as scale_by_yogi
from .momo import MomoState as MomoState
from .momo import momo as momo
from .observing import SnapshotState as SnapshotState
from .observing import snapshot as snapshot
from .paths import label_paths as label_paths
from .paths import match_paths as match_paths
from .plateaus import ReduceOnPlateauState as ReduceOnPlateauState
from .plateaus import reduce_on_plateau as reduce_on_plateau
from .quasi_newton import ScaleByLBFGSState as ScaleByLBFGSState
from .quasi_newton import lbfgs as lbfgs
from .quasi_newton import scale_by_lbfgs as scale_by_lbfgs
from .records import EmptyState as EmptyState
from .records import GradientTransformation as GradientTransformation
from .records import Optimizer as Optimizer
from .records import Schedule as Schedule
from .rescaling import adadelta as adadelta
from .rescaling import adafactor as adafactor
from .rescaling import adagrad as adagrad
from .rescaling import muon as muon
from .rescaling import rmsprop as rmsprop
from .scaling import ScaleByScheduleState as ScaleByScheduleState
from .scaling import centralize as centralize
from .scaling import normalize_by_update_norm as normalize_by_update_norm
from .scaling import scale as scale
from .scaling import scale_by_learning_rate as scale_by_learning_rate
from .scaling import scale_by_param_block_norm as scale_by_param_block_norm
from .scaling import scale_by_param_block_rms as scale_by_param_block_rms
from .scaling import scale_by_polyak as scale_by_polyak
from .scaling import scale_by_schedule as scale_by_schedule
from .scaling import scale_by_sign as scale_by_sign
from .scaling import scale_by_trust_ratio as scale_by_trust_ratio
from .shapes import FactoredState as FactoredState
from .shapes import MuonState as MuonState
from .shapes import ScaleByNovogradState as ScaleByNovogradState
from .shapes import ScaleBySM3State as ScaleBySM3State
from .shapes import scale_by_factored_rms as scale_by_factored_rms
from .shapes import scale_by_muon as scale_by_muon
from .shapes import scale_by_novograd as scale_by_novograd
from .shapes import scale_by_shape as scale_by_shape
from .shapes import scale_by_sm3 as scale_by_sm3
from .sharpness import sharpness_aware as sharpness_aware
from .signs import ScaleByLionState as ScaleByLionState
from .signs import ScaleByRpropState as ScaleByRpropState
from .signs import scale_by_lion as scale_by_lion
from .signs import scale_by_rprop as scale_by_rprop
from .squares import ScaleByAdaDeltaState as ScaleByAdaDeltaState
from .squares import ScaleByRmsState as ScaleByRmsState
from .squares import ScaleByRssState as ScaleByRssState
from .squares import ScaleByStddevState as ScaleByStddevState
from .squares import scale_by_adadelta as scale_by_adadelta
from .squares import scale_by_rms as scale_by_rms
from .squares import scale_by_rss as scale_by_rss
from .squares import scale_by_stddev as scale_by_stddev
from .variants import ScaleByAdemamixState as ScaleByAdemamixState
from .variants import ScaleBySophiaState as ScaleBySophiaState
from .variants import ademamix as ademamix
from .variants import adopt as adopt
from .variants import scale_by_ademamix as scale_by_ademamix
from .variants import scale_by_adopt as scale_by_adopt
from .variants import scale_by_sophia as scale_by_sophia
from .variants import sophia as sophia
from .wrapping import ApplyIfFiniteState as ApplyIfFiniteState
from .wrapping import ConditionalState as ConditionalState
from .wrapping import MultiSteps as MultiSteps
from .wrapping import MultiStepsState as MultiStepsState
from .wrapping import apply_if_finite as apply_if_finite
from .wrapping import conditionally_mask as conditionally_mask
from .wrapping import conditionally_transform as conditionally_transform
from .wrapping import has_updated as has_updated
from .wrapping import skip_large_updates as skip_large_updates
from .wrapping import skip_not_finite as skip_not_finite
from .zoom import ScaleByZoomLinesearchState as ScaleByZoomLinesearchState
from .zoom import ZoomLinesearchInfo as ZoomLinesearchInfo
from .zoom import scale_by_zoom_linesearch as scale_by_zoom_linesearch
