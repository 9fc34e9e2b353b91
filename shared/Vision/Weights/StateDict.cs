using TorchSharp;

namespace Distributed.Vision.Weights;

/// <summary>A tensor that stands in a weight file: what is known of it before it is read.</summary>
internal interface IStoredTensor
{
    torch.ScalarType Type { get; }

    long[] Shape { get; }
}

/// <summary>Tensors by name, as one mapping of a weight file holds them.</summary>
/// <param name="Tensors">At least one.</param>
/// <param name="Path">Where in the file; null at its top.</param>
internal sealed record StateDict(IReadOnlyDictionary<string, IStoredTensor> Tensors, StatePath? Path = null);

/// <summary>Where a value stands in a checkpoint: the key in what holds it, and where that stands.</summary>
internal sealed record StatePath(StatePath? Parent, string Key)
{
    private const int LongestKey = 100;

    /// <summary>How Python would reach it from the whole, as in <c>['model_ema']</c>.</summary>
    public override string ToString() => $"{Parent}{(Key.Length > LongestKey ? Key[..LongestKey] + "…" : Key)}";
}
