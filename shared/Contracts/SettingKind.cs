namespace Distributed.Contracts;

/// <summary>What the values of a setting are.</summary>
public enum SettingKind
{
    /// <summary>A text.</summary>
    Text,

    /// <summary>A whole number.</summary>
    WholeNumber,

    /// <summary>A number.</summary>
    Number,

    /// <summary>True or false.</summary>
    Flag,

    /// <summary>One of some names.</summary>
    Choice,

    /// <summary>A list.</summary>
    List,
}
