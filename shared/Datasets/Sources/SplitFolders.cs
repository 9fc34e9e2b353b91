namespace Distributed.Datasets.Sources;

/// <summary>Folder names that mean a split, in any case.</summary>
internal static class SplitFolders
{
    /// <summary>For errors: every name that is understood.</summary>
    public const string Understood =
        "train, training; val, valid, validation, dev; test, testing, eval, evaluation (in any case, and with 'set' behind, as "
        + "training_set)";

    private static readonly Dictionary<string, SplitName> Names = new(StringComparer.OrdinalIgnoreCase)
    {
        ["train"] = SplitName.Train,
        ["training"] = SplitName.Train,
        ["val"] = SplitName.Validation,
        ["valid"] = SplitName.Validation,
        ["validation"] = SplitName.Validation,
        ["dev"] = SplitName.Validation,
        ["test"] = SplitName.Test,
        ["testing"] = SplitName.Test,
        ["eval"] = SplitName.Test,
        ["evaluation"] = SplitName.Test,
    };

    private static readonly string[] Plain = ["train", "val", "valid", "validation", "test"];

    /// <summary>The split that a folder's name means; null where it means none.</summary>
    public static SplitName? Of(string name)
    {
        const string Set = "set";
        var word = name.EndsWith(Set, StringComparison.OrdinalIgnoreCase) ? name[..^Set.Length].TrimEnd('_', '-', ' ') : name;
        return Names.TryGetValue(word, out var split) ? split : null;
    }

    /// <summary>The split that a part of a name means, as in <c>seg_train</c> or <c>test-images</c>; null where none does.</summary>
    public static SplitName? MentionedIn(string name)
    {
        var words = name.Split([.. name.Where(letter => !char.IsLetter(letter)).Distinct()], StringSplitOptions.RemoveEmptyEntries);
        foreach (var word in words)
        {
            if (Of(word) is { } split)
            {
                return split;
            }
        }

        return null;
    }

    /// <summary>Whether the meaning of a name needs no report.</summary>
    public static bool IsPlain(string name) => Plain.Contains(name, StringComparer.Ordinal);

    /// <summary>What a split is called in notes and errors.</summary>
    public static string Word(SplitName split) =>
        split switch
        {
            SplitName.Train => "train",
            SplitName.Validation => "validation",
            _ => "test",
        };
}
