"""He et al. 2015, arXiv:1512.03385: its experiments on two data sets."""

from kresnet.explain.experiments import Experiments, PaperTest, Printed


def _whole(error: str, more: str = "") -> tuple[PaperTest]:
    return (PaperTest(error, f"table 6{more}"),)


CIFAR10 = Experiments(
    title="He et al. 2015 on CIFAR-10",
    source="section 4.2",
    dataset="cifar10",
    networks={
        "plain20": Printed("0.27"),
        "plain32": Printed("0.46"),
        "plain44": Printed("0.66"),
        "plain56": Printed("0.85"),
        "plain110": Printed("1.7"),
        "resnet20": Printed("0.27", _whole("8.75")),
        "resnet32": Printed("0.46", _whole("7.51")),
        "resnet44": Printed("0.66", _whole("7.17")),
        "resnet56": Printed("0.85", _whole("6.97")),
        "resnet110": Printed(
            "1.7",
            _whole("6.43", ", the best; 6.61 ± 0.16 over 5 runs"),
            start="below 80 %",
        ),
        "resnet1202": Printed("19.4", _whole("7.93"), start="open"),
    },
    size="M parameters",
    architecture="32×32×3 images; a 3×3 convolution with 16 filters; three"
    " stages of 2n 3×3 convolutions with 16, 32 and 64 filters, the first of"
    " stages 2 and 3 with stride 2; global average pooling; 10 classes",
    shortcuts="option A in all cases; a plain network has none",
    initialisation=(
        "normal with variance 2 / fan_in (He et al., Delving deep into"
        " rectifiers), all nets from scratch",
        "he",
    ),
    batch_norm=(
        "after each convolution and before the activation",
        "section 3.4",
    ),
    statistics="over the images of one GPU: 64, from a batch of 128 on two"
    " GPUs",
    images_per_statistic=64,
    data_set="CIFAR-10: 50,000 training and 10,000 test images of 10 classes",
    split="the schedule was chosen on 45,000 images for training and 5,000 for"
    " validation; whether the networks of table 6 saw 45,000 or 50,000 is not"
    " stated",
    validation=(0, 5_000),
    preprocessing=("the per-pixel mean subtracted", ["per_pixel_mean"]),
    augmentation=(
        "4 pixels padded on each side, a random 32×32 crop of the image or of"
        " its mirror image",
        [["random_crop (padding 4)", "random_flip"]],
    ),
    batch=128,
    iterations=(64_000, "64,000"),
    learning_rate="0.1, divided by 10 at 32,000 and 48,000 iterations",
    rate=0.1,
    drops=(32_000, 48_000),
    weight_decay=1e-4,
    dropout=("none", None),
    evaluation="the single view of the original 32×32 test image",
    reported="ResNet-110: the best and mean ± standard deviation of 5 runs;"
    " others: one run, at an iteration that is not stated",
    machine="Caffe on two GPUs",
    uniform=True,
)


_SIDES = (224, 256, 384, 480, 640)


def _tests(
    ten_crop: str, dense: str = "", one_crop: str = "", table: int = 3
) -> tuple[PaperTest, ...]:
    """Tables 2 and 3 are of ten crops, table 4 of whole images.

    Whether mirror images were seen in table 4 is not stated.
    """
    return tuple(
        test
        for test in (
            PaperTest(one_crop, "release notes, one crop", "single", (256,)),
            PaperTest(ten_crop, f"table {table}", "ten-crop", (256,), True),
            PaperTest(dense, "table 4", "dense", _SIDES, None),
        )
        if test.errors
    )


IMAGENET = Experiments(
    title="He et al. 2015 on ImageNet",
    source="sections 3.4 and 4.1",
    dataset="imagenet",
    networks={
        "plain18": Printed("1.8", _tests("27.94", table=2)),
        "plain34": Printed("3.6", _tests("28.54 / 10.02")),
        "resnet18-a": Printed("1.8", _tests("27.88", table=2)),
        "resnet18": Printed("1.8"),
        "resnet34-a": Printed("3.6", _tests("25.03 / 7.76")),
        "resnet34": Printed("3.6", _tests("24.52 / 7.46", "21.84 / 5.71")),
        "resnet34-c": Printed("3.6", _tests("24.19 / 7.40", "21.53 / 5.60")),
        "resnet50": Printed(
            "3.8", _tests("22.85 / 6.71", "20.74 / 5.25", "24.7")
        ),
        "resnet101": Printed(
            "7.6", _tests("21.75 / 6.05", "19.87 / 4.60", "23.6")
        ),
        "resnet152": Printed(
            "11.3", _tests("21.43 / 5.71", "19.38 / 4.49", "23.0")
        ),
    },
    size="e9 multiply-adds",
    architecture="224×224×3 images; a 7×7 convolution with 64 filters and"
    " stride 2; 3×3 max pooling with stride 2; four stages of plain, basic or"
    " bottleneck blocks as in table 1; global average pooling; 1,000 classes",
    shortcuts="18 and 34 layers: option A in table 2, A, B and C in table 3;"
    " bottlenecks: option B; a plain network has none",
    initialisation=CIFAR10.initialisation,
    batch_norm=CIFAR10.batch_norm,
    statistics="over the images of one GPU; their number is not stated, 32 on"
    " each of eight GPUs is the practice",
    images_per_statistic=32,
    data_set="ImageNet: 1.28 million training images of 1,000 classes, tests"
    " on the 50,000 validation images",
    split="none",
    validation=(0,),
    preprocessing=(
        "the per-pixel mean subtracted; the scale of pixels is not stated",
        ["per_pixel_mean", "rescale (divide_by 255)"],
    ),
    augmentation=(
        "the shorter side resized to a random length of 256 to 480, a random"
        " 224×224 crop of the image or of its mirror image, and the standard"
        " colour augmentation (FancyPCA)",
        [["fancy_pca (stddev 0.1)", "random_flip", "shorter side 256 to 480"]],
    ),
    batch=256,
    iterations=(600_000, "up to 600,000"),
    learning_rate="0.1, divided by 10 when the error plateaus",
    rate=0.1,
    drops=0,
    weight_decay=1e-4,
    dropout=("none", None),
    evaluation="10 crops (tables 2 and 3), or the whole image at five scales"
    " (tables 4 and 5)",
    reported="one run, at an iteration that is not stated",
    machine="Caffe on several GPUs",
)
