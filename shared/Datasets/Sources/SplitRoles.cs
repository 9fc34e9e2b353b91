namespace Distributed.Datasets.Sources;

/// <summary>What the splits that a source names are used for. Nothing is trained on test images, and where there are none, nothing is chosen on the images that are reported.</summary>
internal static class SplitRoles
{
    /// <summary>Decides it. All that is not there is drawn.</summary>
    /// <typeparam name="T">What stands for the images of a split, such as a folder.</typeparam>
    /// <param name="train">The training images; null for none.</param>
    /// <param name="validation">The validation images; null for none. They or training images are there.</param>
    /// <param name="test">The test images; null for none.</param>
    /// <param name="name">The name that the source gives a split.</param>
    /// <param name="noun">What that is the name of: "folder".</param>
    /// <param name="notes">What is worth reporting is added to it.</param>
    /// <returns>In the order of a file index.</returns>
    public static List<(T Images, SplitName Split)> Assign<T>(
        T? train,
        T? validation,
        T? test,
        Func<T, string> name,
        string noun,
        List<string> notes
    )
        where T : class
    {
        foreach (var (images, split) in new[] { (train, SplitName.Train), (validation, SplitName.Validation), (test, SplitName.Test) })
        {
            if (images is not null && !SplitFolders.IsPlain(name(images)))
            {
                notes.Add($"'{name(images)}' is read as the {SplitFolders.Word(split)} split.");
            }
        }

        switch (train, validation, test)
        {
            case (not null, not null, not null):
                return [(train, SplitName.Train), (validation, SplitName.Validation), (test, SplitName.Test)];
            case (not null, null, not null):
                return [(train, SplitName.Train), (test, SplitName.Test)];
            case (not null, not null, null):
                notes.Add(
                    $"There is no test {noun}, so '{name(validation)}' is the test split; validation images are drawn from '{name(train)}'."
                );
                return [(train, SplitName.Train), (validation, SplitName.Test)];
            case (null, not null, not null):
                notes.Add($"There is no train {noun}, so '{name(validation)}' is what is trained on; validation images are drawn from it.");
                return [(validation, SplitName.Train), (test, SplitName.Test)];
            default:
                var only = (train ?? validation)!;
                notes.Add($"There is only '{name(only)}', so training, validation and test images are drawn from it.");
                return [(only, SplitName.Unassigned)];
        }
    }
}
