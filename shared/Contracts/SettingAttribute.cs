namespace Distributed.Contracts;

/// <summary>
/// Describes a setting of a run, beside its member, for all who read, check, write or explain it. Its field is the member's name, its
/// type the member's type, and its default what a new specification has.
/// </summary>
/// <param name="help">What it does: one sentence without a full stop.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SettingAttribute(string help) : Attribute
{
    public string Help { get; } = help;

    /// <summary>What else there is to know, in sentences of Markdown for the docs and the API's description.</summary>
    public string Details { get; init; } = "";

    /// <summary>The version of the specification that brought it. What came after the first one is left out of a text where it is at its default.</summary>
    public int Since { get; init; } = 1;

    /// <summary>Its option, where that is not the member's name.</summary>
    public string? Option { get; init; }

    /// <summary>What stands for its value in help, where the type's own is not it.</summary>
    public string? Placeholder { get; init; }

    /// <summary>The default in words, where it follows another setting or stands for something.</summary>
    public string? Default { get; init; }

    /// <summary>The least number.</summary>
    public double Minimum { get; init; } = double.NaN;

    /// <summary>A number that is too small.</summary>
    public double ExclusiveMinimum { get; init; } = double.NaN;

    /// <summary>The greatest number.</summary>
    public double Maximum { get; init; } = double.NaN;

    /// <summary>A number that is too great.</summary>
    public double ExclusiveMaximum { get; init; } = double.NaN;

    /// <summary>Names to choose from, for a text that is one of them; an enumeration has its own.</summary>
    public string[] Choices { get; init; } = [];

    /// <summary>A name that earlier versions had for the default; it is read as if nothing were given.</summary>
    public string? FormerDefault { get; init; }

    /// <summary>Words with a meaning of their own, for a text that is one of them or a path.</summary>
    public string[] Words { get; init; } = [];

    /// <summary>The fewest characters of a text.</summary>
    public int MinLength { get; init; }

    /// <summary>The most characters of a text.</summary>
    public int MaxLength { get; init; }

    /// <summary>The fewest entries of a list.</summary>
    public int MinItems { get; init; }

    /// <summary>The most entries of a list.</summary>
    public int MaxItems { get; init; }

    /// <summary>Whether each number of a list is smaller than the one before.</summary>
    public bool IsFalling { get; init; }

    /// <summary>Whether its option is given once an entry.</summary>
    public bool IsRepeated { get; init; }

    /// <summary>Whether it decides nothing about the result: what the run is called, who wants it, how soon.</summary>
    public bool IsLabel { get; init; }

    /// <summary>Whether it is for runs that train a head alone, and not for those that predict with a model.</summary>
    public bool IsForTraining { get; init; }

    /// <summary>The optimizers that it is for, where it is not for all.</summary>
    public HeadOptimizer[] Optimizers { get; init; } = [];
}
