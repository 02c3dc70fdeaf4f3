"""Simonyan, Zisserman 2014, arXiv:1409.1556: VGG on ImageNet."""

from kresnet.explain.experiments import Experiments, PaperTest, Printed
from kresnet.explain.he2015 import IMAGENET

S_256, S_384, S_ANY = (256, 256), (384, 384), (256, 512)
# The shorter sides of tests at several scales (table 4), by that of training.
_SCALES = {
    S_256: (224, 256, 288),
    S_384: (352, 384, 416),
    S_ANY: (256, 384, 512),
}


def _dense(
    train: tuple[int, int], side: int, one: str, several: str = ""
) -> tuple[PaperTest, ...]:
    """Whole images and their mirror images, at one scale and at three."""
    return tuple(
        PaperTest(errors, where, "dense", sides, True, train)
        for errors, where, sides in (
            (one, "table 3", (side,)),
            (several, "table 4", _SCALES[train]),
        )
        if errors
    )


def _crops(grid: str, both: str) -> tuple[PaperTest, ...]:
    """150 crops, alone and with the dense test."""
    sides = _SCALES[S_ANY]
    return (
        PaperTest(grid, "table 5", "multi-crop", sides, True, S_ANY),
        PaperTest(both, "table 5", "dense-and-crop", sides, True, S_ANY),
    )


VGG = Experiments(
    title="Simonyan, Zisserman 2014 on ImageNet",
    source="sections 2 and 3 of arXiv:1409.1556",
    dataset="imagenet",
    networks={
        "vgg11": Printed("133", _dense(S_256, 256, "29.6 / 10.4")),
        "vgg13": Printed("133", _dense(S_256, 256, "28.7 / 9.9", "28.2 / 9.6")),
        "vgg16": Printed(
            "138",
            (
                *_dense(S_ANY, 384, "25.6 / 8.1", "24.8 / 7.5"),
                *_dense(S_384, 384, "26.8 / 8.7", "26.5 / 8.6"),
                *_dense(S_256, 256, "27.0 / 8.8", "26.6 / 8.6"),
                *_crops("24.6 / 7.5", "24.4 / 7.2"),
            ),
        ),
        "vgg19": Printed(
            "144",
            (
                *_dense(S_ANY, 384, "25.5 / 8.0", "24.8 / 7.5"),
                *_dense(S_384, 384, "26.9 / 8.7", "26.7 / 8.6"),
                *_dense(S_256, 256, "27.3 / 9.0", "26.9 / 8.7"),
                *_crops("24.6 / 7.4", "24.4 / 7.1"),
            ),
        ),
    },
    size="M parameters",
    architecture="224×224×3 images; five groups of 3×3 convolutions with 64,"
    " 128, 256, 512 and 512 filters, as in table 1, each followed by 2×2 max"
    " pooling with stride 2; dense layers of 4096, 4096; 1,000 classes",
    shortcuts="none",
    initialisation=(
        "A was drawn, normal with variance 0.01; deeper nets began with its"
        " first four convolutions and its dense layers, and nets for several"
        " sizes with one for 384; after the submission Glorot's was found to"
        " do",
        "",
    ),
    batch_norm=("there is none", ""),
    statistics="there are none",
    images_per_statistic=0,
    data_set=IMAGENET.data_set,
    split="none",
    validation=(0,),
    preprocessing=(
        "the mean colour subtracted; the scale of pixels is not stated",
        ["channel_mean", "rescale (divide_by 255)"],
    ),
    augmentation=(
        "the shorter side resized to 256, to 384, or to a random length of 256"
        " to 512, a random 224×224 crop of the image or of its mirror image,"
        " and a random shift of colours (FancyPCA)",
        [
            ["fancy_pca (stddev 0.1)", "random_flip", f"shorter side {sides}"]
            for sides in ("256 to 256", "384 to 384", "256 to 512")
        ],
    ),
    batch=256,
    iterations=(370_000, "370,000 (74 epochs)"),
    learning_rate="0.01, divided by 10 three times, when the validation"
    " accuracy stops rising",
    rate=0.01,
    drops=3,
    weight_decay=5e-4,
    dropout=("0.5 after the first two dense layers", 0.5),
    evaluation="the whole image and its mirror image at one scale (table 3) or"
    " three (table 4), or 150 crops (table 5)",
    reported="one run, after its last iteration",
    machine="a system derived from Caffe, on four GPUs",
)
