using Distributed.Networks;
using Distributed.Vision.Onnx;
using Distributed.Vision.Weights;
using static TorchSharp.torch;

namespace Distributed.Vision.Engines;

/// <summary>Several bases as one: each image goes through all of them, and their features stand one behind the other.</summary>
public sealed class JoinedBackbone : IBackbone
{
    private readonly IReadOnlyList<IBackbone> _parts;

    private JoinedBackbone(IReadOnlyList<IBackbone> parts, int blocks, string sha256)
    {
        (_parts, Blocks, Sha256) = (parts, blocks, sha256);
        Name = string.Join('+', parts.Select(part => part.Name)) + (blocks == 1 ? "" : FormattableString.Invariant($"-{blocks}-blocks"));
        Origin = string.Join(" + ", parts.Select(part => part.Origin)) + (blocks == 1 ? "" : $", last {blocks} blocks");
    }

    /// <summary>The bases, in the order of their features.</summary>
    public IReadOnlyList<IBackbone> Parts => _parts;

    /// <summary>How many of the last blocks of each give features.</summary>
    public int Blocks { get; }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string Sha256 { get; }

    /// <inheritdoc/>
    public OnnxUse? Onnx => null;

    /// <inheritdoc/>
    public string Origin { get; }

    /// <inheritdoc/>
    public int FeatureSize => _parts.Sum(part => part.FeatureSize);

    /// <inheritdoc/>
    public int SmallestInput => _parts.Max(part => part.SmallestInput);

    /// <inheritdoc/>
    public int? OnlyInput => _parts.Select(part => part.OnlyInput).FirstOrDefault(size => size is not null);

    /// <summary>That of the first one; each has its own.</summary>
    public Preprocessing Preprocessing => _parts[0].Preprocessing;

    /// <inheritdoc/>
    public string Normalisation => string.Join('+', _parts.Select(part => part.Normalisation));

    /// <inheritdoc/>
    public Precision Precision => _parts[0].Precision;

    /// <inheritdoc/>
    public Device Device => _parts[0].Device;

    /// <inheritdoc/>
    public bool TakesAnyBatch => _parts.All(part => part.TakesAnyBatch);

    /// <summary>Joins bases.</summary>
    /// <param name="parts">As <see cref="BackboneSource.Load"/> gave them; they are this base's own then, also where it cannot be made.</param>
    /// <param name="blocks">How many of the last blocks of each give features, at least 1.</param>
    /// <param name="sha256">What identifies the whole.</param>
    /// <exception cref="WeightsException">A base has not so many blocks, or they take images of different sizes.</exception>
    public static JoinedBackbone Create(IReadOnlyList<IBackbone> parts, int blocks, string sha256)
    {
        ArgumentNullException.ThrowIfNull(parts);
        try
        {
            var sizes = parts.Where(part => part.OnlyInput is not null).ToList();
            if (sizes.FirstOrDefault(part => part.OnlyInput != sizes[0].OnlyInput) is { } other)
            {
                throw new WeightsException(
                    $"{sizes[0].Origin} takes images of {sizes[0].OnlyInput} px alone, and {other.Origin} of {other.OnlyInput} px. Join bases that take the same size."
                );
            }

            return new JoinedBackbone([.. parts.Select(part => WithBlocks(part, blocks))], blocks, sha256);
        }
        catch
        {
            foreach (var part in parts)
            {
                part.Dispose();
            }

            throw;
        }
    }

    /// <inheritdoc/>
    public IBackbone ConvertTo(Precision precision, Device device)
    {
        var converted = new List<IBackbone>();
        try
        {
            foreach (var part in _parts)
            {
                converted.Add(part.ConvertTo(precision, device));
            }

            return new JoinedBackbone(converted, Blocks, Sha256);
        }
        catch
        {
            converted.ForEach(part => part.Dispose());
            throw;
        }
    }

    /// <inheritdoc/>
    public Tensor Features(Tensor images)
    {
        using var scope = NewDisposeScope();
        return cat([.. _parts.Select(part => part.Features(images).to(Device))], 1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in _parts)
        {
            part.Dispose();
        }
    }

    private static IBackbone WithBlocks(IBackbone part, int blocks)
    {
        if (blocks == 1)
        {
            return part;
        }

        if (part is not Backbone { Architecture.Blocks: var most } known || most < blocks)
        {
            throw new WeightsException(
                $"{part.Origin} has not {blocks} blocks whose maps can be features. Leave blocks out, or give a DenseNet or a ResNet, which have up to 4; "
                    + "of an ONNX file, backboneOutput names one tensor."
            );
        }

        using (part)
        {
            return new PlainBackbone(known.Weights.WithBlocks(blocks));
        }
    }
}
