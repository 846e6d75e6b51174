"""What no epoch of a training would see is refused before it."""

import pytest

from configs import demo
from tcam_jax.data.dataset import Dataset
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.planning import plans


@pytest.mark.parametrize(
    ("epochs", "settings", "message"),
    [
        (2, {"start_epoch": 2, "final_weight": None}, None),
        (2, {"start_epoch": 3}, r"size.start_epoch must be at most 2 \(stage 2's .* 2 epochs\)"),
        (2, {"final_weight": 0.1}, None),
        (1, {"final_weight": 0.1}, r"final_weight must be None where the loss has one epoch"),
        (3, {"final_weight": 0.1, "start_epoch": 2, "end_epoch": 2}, "final_weight must be None"),
        (0, {"start_epoch": 3}, None),  # stage 2 is not trained
    ],
)
@pytest.mark.parametrize("unit", ["epochs", "steps"])
def test_losses_that_begin_or_change_after_the_last_epoch(
    shapes_data, unit, epochs, settings, message
):
    config = demo.get_config()
    config.dataset.data_dir = str(shapes_data)
    data = Dataset(config)
    config.tcam.epochs = 0
    per_epoch = data.steps_per_epoch(config.tcam.batch_size)
    # The last epoch may be a part of one.
    config.tcam[unit] = epochs if unit == "epochs" else max(0, (epochs - 1) * per_epoch + epochs)
    config.tcam.losses.size.update(settings)
    if message is None:
        assert (
            plans(config, data)["tcam"].num_steps
            == (per_epoch if unit == "epochs" else 1) * (config.tcam[unit])
        )
        return
    with pytest.raises(InputError, match=message):
        plans(config, data)
