"""A step of momentum, written in keras.ops."""


def momentum_step(variable, velocity, gradient, rate, momentum):
    """Does `v = momentum * v - rate * g; w = w + v`.

    Args:
        variable: `w`, changed.
        velocity: `v`, changed.
        gradient: `g`, same shape.
        rate: Scalar tensor, the learning rate.
        momentum: Scalar tensor.
    """
    moved = velocity * momentum - gradient * rate
    velocity.assign(moved)
    variable.assign(variable + moved)
