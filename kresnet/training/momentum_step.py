"""A step of momentum, written in keras.ops."""


def momentum_step(variable, velocity, gradient, rate, momentum):
    """Does `v = momentum * v - rate * g; w = w + v`.

    Args:
        variable: `w`, a float variable of any shape, changed.
        velocity: `v`, a variable of the same shape and dtype, changed.
        gradient: `g`, tensor of that shape and dtype, decay included.
        rate: Scalar tensor of that dtype, the learning rate.
        momentum: Scalar tensor of that dtype, in (0, 1).

    Reference:
        He et al. 2015, section 3.4.
    """
    moved = velocity * momentum - gradient * rate
    velocity.assign(moved)
    variable.assign(variable + moved)
