using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Distributed.Vision;

/// <summary>
/// The convolutional base of a DenseNet, as torchvision computes it: parameters carry torchvision's names without the
/// prefix <c>features.</c>.
/// </summary>
internal sealed class DenseNet : nn.Module<Tensor, Tensor>
{
    private readonly nn.Module<Tensor, Tensor>[] _stages;

    public DenseNet(DenseNetArchitecture architecture)
        : base(architecture.Name)
    {
        var channels = architecture.InitialFeatures;
        var stages = new List<nn.Module<Tensor, Tensor>>();
        void Add(string name, nn.Module<Tensor, Tensor> stage)
        {
            register_module(name, stage);
            stages.Add(stage);
        }

        Add("conv0", nn.Conv2d(3, channels, 7, stride: 2, padding: 3, bias: false));
        Add("norm0", nn.BatchNorm2d(channels));
        Add("relu0", nn.ReLU(inplace: true));
        Add("pool0", nn.MaxPool2d(3, stride: 2, padding: 1));
        for (var block = 0; block < architecture.Blocks.Length; block++)
        {
            if (block > 0)
            {
                Add($"transition{block}", new DenseTransition(channels, channels / 2));
                channels /= 2;
            }

            Add($"denseblock{block + 1}", new DenseBlock(channels, architecture.Blocks[block], architecture.GrowthRate));
            channels += architecture.Blocks[block] * architecture.GrowthRate;
        }

        Add("norm5", nn.BatchNorm2d(channels));
        Add("relu5", nn.ReLU(inplace: true));
        _stages = [.. stages];
        eval();
        foreach (var parameter in parameters())
        {
            parameter.requires_grad_(false);
        }
    }

    /// <summary>Normalised images [n, 3, h, w] to features [n, d].</summary>
    public override Tensor forward(Tensor input)
    {
        var current = input;
        foreach (var stage in _stages)
        {
            var next = stage.forward(current);
            if (!ReferenceEquals(current, input))
            {
                current.Dispose();
            }

            current = next;
        }

        using (current)
        {
            return current.mean([2, 3]);
        }
    }
}

/// <summary>Dense layers, each of which sees everything before it in the block.</summary>
internal sealed class DenseBlock : nn.Module<Tensor, Tensor>
{
    private readonly DenseLayer[] _layers;

    public DenseBlock(int channels, int layers, int growthRate)
        : base(nameof(DenseBlock))
    {
        _layers = new DenseLayer[layers];
        for (var i = 0; i < layers; i++)
        {
            _layers[i] = new DenseLayer(channels + (i * growthRate), growthRate);
            register_module($"denselayer{i + 1}", _layers[i]);
        }
    }

    public override Tensor forward(Tensor input)
    {
        var current = input.alias();
        foreach (var layer in _layers)
        {
            using var before = current;
            using var added = layer.forward(before);
            current = cat([before, added], 1);
        }

        return current;
    }
}

/// <summary>BN, ReLU, 1×1 convolution to the bottleneck, BN, ReLU, 3×3 convolution to the growth rate.</summary>
internal sealed class DenseLayer : nn.Module<Tensor, Tensor>
{
    private readonly BatchNorm2d norm1;
    private readonly Conv2d conv1;
    private readonly BatchNorm2d norm2;
    private readonly Conv2d conv2;

    public DenseLayer(int channels, int growthRate)
        : base(nameof(DenseLayer))
    {
        var bottleneck = DenseNetArchitecture.BottleneckFactor * growthRate;
        norm1 = nn.BatchNorm2d(channels);
        conv1 = nn.Conv2d(channels, bottleneck, 1, bias: false);
        norm2 = nn.BatchNorm2d(bottleneck);
        conv2 = nn.Conv2d(bottleneck, growthRate, 3, padding: 1, bias: false);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        using var first = norm1.forward(input).relu_();
        using var narrow = conv1.forward(first);
        using var second = norm2.forward(narrow).relu_();
        return conv2.forward(second);
    }
}

/// <summary>BN, ReLU, 1×1 convolution, 2×2 average: half the channels at half the size.</summary>
internal sealed class DenseTransition : nn.Module<Tensor, Tensor>
{
    private readonly BatchNorm2d norm;
    private readonly Conv2d conv;

    public DenseTransition(int channels, int outputs)
        : base(nameof(DenseTransition))
    {
        norm = nn.BatchNorm2d(channels);
        conv = nn.Conv2d(channels, outputs, 1, bias: false);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        using var active = norm.forward(input).relu_();
        using var narrow = conv.forward(active);
        return nn.functional.avg_pool2d(narrow, 2);
    }
}
