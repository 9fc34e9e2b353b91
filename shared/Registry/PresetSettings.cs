using Distributed.Contracts;
using Distributed.Networks;

namespace Distributed.Registry;

/// <summary>What presets stand for: sizes scaled from that of the base, and mirror images.</summary>
internal static class PresetSettings
{
    private const int SizeStep = 32;

    /// <summary>Gives a specification the settings of its preset that it does not name.</summary>
    public static RunSpecification Apply(RunSpecification specification, BackboneList backbones)
    {
        var bases = specification.JoinedBackbones.Prepend(specification.Backbone).Select(backbones.Find).ToList();
        var native = bases[0]?.InputSize ?? specification.InputSize;
        var size = bases.Find(known => known is { IsOnlySize: true })?.InputSize ?? Scale(native, specification.Preset);
        return specification.WithUsualInputSize(size) with { Flip = specification.Flip || specification.Preset == Preset.Accurate };
    }

    /// <summary>Four or nine sevenths of a size: 128 and 288 of 224 px, 64 and 128 of 96 px.</summary>
    private static int Scale(int native, Preset preset)
    {
        var sevenths = preset switch
        {
            Preset.Fast => 4,
            Preset.Accurate => 9,
            _ => 7,
        };
        return sevenths == 7 ? native : SizeStep * (int)Math.Round(native * sevenths / (7.0 * SizeStep));
    }
}
