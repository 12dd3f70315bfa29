"""CloudWatch's metric math: expressions over metrics, parsed and evaluated.

Source: docs.aws.amazon.com, "Using math expressions with CloudWatch metrics". Not offered: ANOMALY_DETECTION_BAND,
INSIGHT_RULE_METRIC, LAMBDA, DB_PERF_INSIGHTS, SERVICE_QUOTA and Metrics Insights queries.
"""

from miyabi.policy.metric_math.evaluation import Frame, evaluate
from miyabi.policy.metric_math.parser import BadExpression, names_in, parse

__all__ = ["BadExpression", "Frame", "evaluate", "names_in", "parse"]
