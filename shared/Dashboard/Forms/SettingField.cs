using Distributed.Contracts;

namespace Distributed.Dashboard.Forms;

/// <summary>A setting as a form asks for it, made from its description.</summary>
public sealed class SettingField
{
    private static readonly string[] Flags = ["true", "false"];

    private SettingField(RunSetting setting)
    {
        Setting = setting;
        Group = setting.Field switch
        {
            _ when setting.IsLabel => FieldGroup.About,
            _ when setting.Field.StartsWith("head.", StringComparison.Ordinal) => FieldGroup.Head,
            _ when setting.Field.StartsWith("training.", StringComparison.Ordinal) || setting.IsForTraining => FieldGroup.Training,
            "dataset" or "decoding" or "fit" or "inputSize" or "maxSkipped" or "splitSeed" => FieldGroup.Images,
            "backbone" or "architecture" or "backboneOutput" or "pixelMean" or "pixelStd" or "channelOrder" or "precision" =>
                FieldGroup.Base,
            _ => FieldGroup.Rest,
        };
    }

    /// <summary>All settings.</summary>
    public static IReadOnlyList<SettingField> All { get; } = [.. RunSettings.All.Select(setting => new SettingField(setting))];

    /// <summary>The setting.</summary>
    public RunSetting Setting { get; }

    /// <summary>Where it stands.</summary>
    public FieldGroup Group { get; }

    /// <summary>What it may be; empty where it is no choice.</summary>
    public IReadOnlyList<string> Choices => IsFlag ? Flags : Setting.Choices;

    /// <summary>Whether it is true or false.</summary>
    public bool IsFlag => Setting.Kind == SettingKind.Flag;

    /// <summary>Its default in few words.</summary>
    public string Usual => string.IsNullOrEmpty(Setting.Default) ? "none" : Setting.Default;

    /// <summary>What it says in a specification, as the form has it; empty where that is the default.</summary>
    public string TextOf(RunSpecification specification)
    {
        ArgumentNullException.ThrowIfNull(specification);
        var usual = new RunSpecification { Backbone = specification.Backbone };
        var value = Setting.TextOf(specification) ?? "";
        return value == (Setting.TextOf(Setting.Field == "backbone" ? new RunSpecification() : usual) ?? "") ? "" : value;
    }
}

/// <summary>Settings that belong together in a form.</summary>
public enum FieldGroup
{
    /// <summary>What is learned.</summary>
    Images,

    /// <summary>The pretrained network.</summary>
    Base,

    /// <summary>What is trained on it.</summary>
    Head,

    /// <summary>How.</summary>
    Training,

    /// <summary>What the run is called, and how soon it is wanted.</summary>
    About,

    /// <summary>All others.</summary>
    Rest,
}
