"""Small networks, each of which a repair must cope with."""

import paddle
from paddle import nn


def norm_net():
    """Convolutions without bias, with a batch norm behind each, and a classifier."""
    return nn.Sequential(
        *(nn.Conv2D(3, 16, 3, padding=1, bias_attr=False), nn.BatchNorm2D(16), nn.ReLU()),
        *(nn.Conv2D(16, 16, 3, padding=1, groups=16, bias_attr=False), nn.BatchNorm2D(16), nn.ReLU()),
        *(nn.Conv2D(16, 24, 1, bias_attr=False), nn.BatchNorm2D(24), nn.ReLU()),
        *(nn.AdaptiveAvgPool2D(1), nn.Flatten(), nn.Linear(24, 5)),
    )


def bare_net():
    """Nothing takes up a constant."""
    return nn.Sequential(
        *(nn.Conv2D(3, 16, 3, bias_attr=False), nn.ReLU(), nn.Conv2D(16, 16, 3, groups=2, bias_attr=False)),
        *(nn.ReLU(), nn.Conv2D(16, 4, 1, bias_attr=False)),
    )


def grown_net():
    """Transposed convolutions."""
    return nn.Sequential(
        *(nn.Conv2D(3, 12, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2DTranspose(12, 12, 4, stride=2, padding=1)),
        *(nn.ReLU(), nn.Conv2D(12, 2, 3, padding=1)),
    )


class Twice(nn.Layer):
    """A layer that runs twice, two inputs, and two outputs in a dict."""

    def __init__(self):
        super().__init__()
        self.stem, self.side = nn.Conv2D(3, 12, 3, padding=1), nn.Conv2D(1, 12, 3, padding=1)
        self.shared, self.head, self.other = nn.Conv2D(12, 12, 3, padding=1), nn.Conv2D(12, 2, 1), nn.Conv2D(12, 3, 1)

    def forward(self, image, depth):
        """Both inputs meet, and go through one layer twice."""
        x = nn.functional.relu(self.stem(image) + self.side(depth))
        x = nn.functional.relu(self.shared(x))
        x = nn.functional.relu(self.shared(x))
        return {"a": self.head(x), "b": [self.other(x)]}


class Tokens(nn.Layer):
    """Linear layers around a layer norm, whose channels can't be masked."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Linear(6, 16), nn.LayerNorm(16)
        self.up, self.down, self.out = nn.Linear(16, 32), nn.Linear(32, 16), nn.Linear(16, 3)

    def forward(self, x):
        """A block with a shortcut."""
        x = self.embed(x)
        x = x + self.down(nn.functional.gelu(self.up(self.norm(x))))
        return self.out(x)


class Odd(nn.Layer):
    """What can't be refitted: a product with a parameter of the network's own."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, 16)
        self.table = self.create_parameter([16, 5])

    def forward(self, x):
        """Nothing but the first layer is a layer of Paddle's."""
        x = nn.functional.relu(self.embed(x))
        return paddle.matmul(x, self.table)


class Crossed(nn.Layer):
    """Linear layers along the width of an image, whose rows are its channels, too; a layer called by keywords."""

    def __init__(self):
        super().__init__()
        self.stem, self.next, self.head = nn.Conv2D(3, 12, 1), nn.Conv2D(12, 12, 1), nn.Conv2D(12, 4, 1)
        self.wide, self.narrow = nn.Linear(7, 10), nn.Linear(10, 7)

    def forward(self, x):
        """The channels go past the linear layers."""
        x = nn.functional.relu(self.next(x=self.stem(x)))
        return self.head(x + self.narrow(nn.functional.relu(self.wide(x))))


class Across(nn.Layer):
    """A batch norm along another axis than the linear layer before it has its outputs on."""

    def __init__(self):
        super().__init__()
        self.embed, self.wide, self.out = nn.Linear(7, 16), nn.Linear(16, 12, bias_attr=False), nn.Linear(12, 3)
        self.norm = nn.BatchNorm2D(3)

    def forward(self, x):
        """Linear layers along the width of an image, whose channels stay."""
        return self.out(nn.functional.relu(self.norm(self.wide(nn.functional.relu(self.embed(x))))))


NETS = {
    "batch norms": (norm_net, ((16, 3, 9, 9),)),
    "no bias": (bare_net, ((16, 3, 9, 9),)),
    "transposed": (grown_net, ((16, 3, 8, 8),)),
    "twice": (Twice, ((16, 3, 7, 7), (16, 1, 7, 7))),
    "layer norm": (Tokens, ((24, 10, 6),)),
    "odd": (Odd, ((16, 7, 6),)),
    "across": (Across, ((16, 3, 6, 7),)),
    "crossed": (Crossed, ((16, 3, 6, 7),)),
}
LEFT = {"odd": {"table"}, "crossed": {"next", "wide", "narrow"}}
"""What of them is left as it was cut."""
