"""Layer -> channel graph -> groups."""

from paddleprune.graph.build import build_graph as build_graph
from paddleprune.graph.channels import FLOP as FLOP
from paddleprune.graph.channels import ChannelGraph as ChannelGraph
from paddleprune.graph.channels import Cost as Cost
from paddleprune.graph.channels import Group as Group
from paddleprune.graph.explain import Explanation as Explanation
from paddleprune.graph.explain import explain as explain
from paddleprune.graph.inputs import Input as Input
from paddleprune.graph.inputs import random_inputs as random_inputs
from paddleprune.graph.mask import masked as masked
from paddleprune.graph.rules import op_rule as op_rule
