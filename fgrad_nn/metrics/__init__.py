"""Metrics: what is told of a model, and not trained on; `streaming` has those of many batches.

The losses `mean_squared_error` and `mean_absolute_error` are metrics too. Predictions come first,
labels second; scikit-learn has them the other way round.
"""

from ..losses import mean_absolute_error as mean_absolute_error
from ..losses import mean_squared_error as mean_squared_error
from .classification import accuracy as accuracy
from .classification import confusion_matrix as confusion_matrix
from .classification import f1_score as f1_score
from .classification import precision as precision
from .classification import recall as recall
from .classification import roc_auc as roc_auc
from .classification import roc_curve as roc_curve
from .classification import top_k_accuracy as top_k_accuracy
from .regression import perplexity as perplexity
from .regression import r2_score as r2_score
from .regression import root_mean_squared_error as root_mean_squared_error
from .streaming import Metric as Metric
from .streaming import running_accuracy as running_accuracy
from .streaming import running_confusion as running_confusion
from .streaming import running_mean as running_mean
from .streaming import running_moments as running_moments
from .streaming import several as several
