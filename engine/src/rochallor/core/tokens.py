"""Where tokens go at joins and dead ends: the arithmetic of activations.

An activation expects as many tokens as belong to it: its branches, plus one for each token a non-interrupting timer
added. Its join fires when as many have arrived. The rules that keep the count right:

* A token at a join arrives for the innermost activation that names this join; it leaves the activations inside that
  one on the way. A token that belongs to no such activation passes through.
* A token that leaves an activation while others stay in it is one more token of the activation around it, because the
  others will still come out as one.
* A token at a dead end is gone. A timer's extra token lowers the count it had raised; a branch's own token does not,
  so its join waits in vain and the instance fails as starved instead of pretending that the branch was done.
"""

from __future__ import annotations

from rochallor.core import events as ev
from rochallor.core.definition.model import Step
from rochallor.core.model import Activation, Token
from rochallor.core.run import Run


def onward(run: Run, step_id: str | None, token: Token) -> None:
    """Send a token to the next step, or take it out of the game when there is none."""
    if step_id is None:
        consume(run, token)
    else:
        run.send(step_id, token)


def split(run: Run, seq: int, step: Step, token: Token) -> None:
    """Fire a parallel gateway: one token per branch, in the author's order, in a new activation."""
    branches = step.parallel_next_steps
    assert step.join_step is not None
    run.emit(ev.GatewayFired(activation=seq, join=step.join_step, branches=len(branches), parent=token))
    for target in branches:
        run.send(target, Token(seq, token.extra))


def arrive(run: Run, step: Step, token: Token) -> None:
    """Let a token reach a join: wait, fire, or pass through."""
    activation = _gathering(run, step.id, token)
    if activation is None:
        run.close(run.open_step(step, token))
        onward(run, step.next_step, token)
        return
    while token.activation != activation.id:
        token = _leave(run, token)
    run.emit(ev.TokenArrived(activation.id))
    if activation.arrived == 1:
        run.open_step(step, activation.parent, waits_for=activation.id)
    _fire_if_full(run, activation)


def consume(run: Run, token: Token) -> None:
    """Take a token out of the game at a dead end."""
    within = token.activation if token.extra else None
    while within is not None:
        activation = run.instance.activations[within]
        run.emit(ev.TokensExpected(activation.id, -1))
        if activation.expected:
            _fire_if_full(run, activation)
            return
        # All its other tokens are gone or were counted outside when they left: nothing will come out of it any more.
        run.emit(ev.ActivationEnded(activation.id))
        within = activation.parent.activation


def _gathering(run: Run, step_id: str, token: Token) -> Activation | None:
    """Return the innermost activation around a token that is gathered at this join."""
    activation = _around(run, token)
    while activation is not None and activation.join != step_id:
        activation = _around(run, activation.parent)
    return activation


def _around(run: Run, token: Token) -> Activation | None:
    """Return the activation that a token belongs to."""
    return None if token.activation is None else run.instance.activations[token.activation]


def _leave(run: Run, token: Token) -> Token:
    """Move a token from its activation into the one around it, and return it as it is there."""
    activation = _around(run, token)
    assert activation is not None
    parent = activation.parent
    run.emit(ev.TokensExpected(activation.id, -1))
    if not activation.expected:
        run.emit(ev.ActivationEnded(activation.id))
        return parent
    assert parent.activation is not None
    run.emit(ev.TokensExpected(parent.activation, 1))
    _fire_if_full(run, activation)
    return Token(parent.activation)


def _fire_if_full(run: Run, activation: Activation) -> None:
    """Fire the join of an activation once all its tokens have arrived."""
    if activation.arrived < activation.expected:
        return
    waiting = next(step for step in run.instance.open.values() if step.waits_for == activation.id)
    run.emit(ev.ActivationEnded(activation.id))
    run.close(waiting)
    if _gathering(run, waiting.step_id, activation.parent) is not None:
        run.send(waiting.step_id, activation.parent)  # a join shared by nested gateways gathers again, further out
        return
    join = run.definition.step(waiting.step_id)
    assert join is not None
    onward(run, join.next_step, activation.parent)
