using System.Globalization;
using System.Text;
using Distributed.Datasets;
using Distributed.Imaging;

namespace Distributed.Fuzzing.Targets;

/// <summary>What must come of a tree: words of the error, or the images with class and split, and what is skipped.</summary>
internal sealed record LayoutAnswer(string? Error, IReadOnlyList<string> Images, IReadOnlyList<string> Skipped);

/// <summary>The rules of docs/datasets.md once more, for trees in memory, said as directly as can be: what the reader of folders is held to.</summary>
internal sealed class LayoutOracle(LayoutTree tree)
{
    private static readonly string[][] Words =
    [
        ["train", "training"],
        ["val", "valid", "validation", "dev"],
        ["test", "testing", "eval", "evaluation"],
    ];

    private readonly List<string> _images = [];
    private readonly HashSet<(string Path, SkipReason Reason)> _skipped = [];
    private readonly HashSet<string> _classesWithTraining = new(StringComparer.Ordinal);
    private List<string>? _known;
    private string _root = LayoutTree.Source;

    // A folder by the way to it: the path that leads there, and the real places on the way, its own the last.
    private sealed record Place(string Path, string[] Real, bool IsLink)
    {
        public string Name => Path[(Path.LastIndexOf('/') + 1)..];
    }

    private sealed class RefusedException(string words) : Exception(words);

    public LayoutAnswer Answer()
    {
        try
        {
            Read();
            return new LayoutAnswer(
                null,
                [.. _images.Order(StringComparer.Ordinal)],
                [.. _skipped.Select(entry => $"{Relative(entry.Path)} {entry.Reason}").Order(StringComparer.Ordinal)]
            );
        }
        catch (RefusedException refused)
        {
            return new LayoutAnswer(refused.Message, [], []);
        }
    }

    private void Read()
    {
        var top = new Place(_root, [_root], IsLink: false);
        for (var times = 0; times < 4; times++)
        {
            var (folders, files) = (Folders(top), FilesIn(top));
            if (
                folders.Count != 1
                || files.Exists(IsImage)
                || Split(folders[0]) >= 0
                || Folders(folders[0]).Count == 0
                || FilesIn(folders[0]).Exists(IsImage)
            )
            {
                break;
            }

            Skip(top);
            top = new Place(folders[0].Path, [folders[0].Real[^1]], IsLink: false);
        }

        _root = top.Path;
        Skip(top);
        var all = Folders(top);
        if (all.Exists(folder => Split(folder) >= 0))
        {
            ReadSplits(all);
        }
        else
        {
            Refuse(all.Count == 0, "has no class folders. Put");
            var nested = all.FindAll(folder => Folders(folder).Count > 0 && !FilesIn(folder).Exists(IsImage));
            var mentioned = nested.Select(Mentioned).Where(split => split >= 0).Distinct().Count();
            Refuse(mentioned > 1 || (mentioned == 1 && nested.Count == all.Count), "not named so");
            ReadClasses(all, SplitName.Unassigned);
        }

        Refuse(_images.Count == 0, "has no images. Put one folder");
        Refuse(_known!.Count < 2, "has a single class");
        Refuse(_known.Exists(name => !_classesWithTraining.Contains(name)), "has no images to train on for");
    }

    private void ReadSplits(List<Place> all)
    {
        Refuse(all.Exists(folder => Split(folder) < 0), "so it is unclear");
        Refuse(all.GroupBy(Split).Any(group => group.Count() > 1), "mean the same split");
        var (train, validation, test) = (
            all.Find(folder => Split(folder) == 0),
            all.Find(folder => Split(folder) == 1),
            all.Find(folder => Split(folder) == 2)
        );
        Refuse(train is null && validation is null, "no images to train on. Put training");
        var given = new List<(Place Folder, SplitName Split)>();
        if (train is null || (validation is null && test is null))
        {
            given.Add(((train ?? validation)!, test is null ? SplitName.Unassigned : SplitName.Train));
        }
        else
        {
            given.Add((train, SplitName.Train));
            if (validation is not null)
            {
                given.Add((validation, test is null ? SplitName.Test : SplitName.Validation));
            }
        }

        if (test is not null)
        {
            given.Add((test, SplitName.Test));
        }

        var inner = given.ConvertAll(split => (Folder: Unpack(split.Folder), split.Split));
        foreach (var (folder, split) in inner)
        {
            ReadClasses(Folders(folder), split);
        }
    }

    private Place Unpack(Place split)
    {
        var folder = split;
        Skip(folder);
        while (Folders(folder) is [var only] && !FilesIn(folder).Exists(IsImage) && Split(only) == Split(split) && Folders(only).Count > 0)
        {
            folder = only;
            Skip(folder);
        }

        Refuse(Folders(folder).Count == 0, "its name is that of a split");
        return folder;
    }

    private void ReadClasses(List<Place> folders, SplitName split)
    {
        Refuse(
            folders.Exists(folder =>
                Text(folder.Name) is not { } name
                || name.Any(char.IsControl)
                || name.Contains('\uFFFD', StringComparison.Ordinal)
                || ClassOf(folder).Length > 200
            ),
            "a name has 1 to 200"
        );
        var classes = folders.GroupBy(ClassOf, StringComparer.Ordinal).OrderBy(group => group.Key, StringComparer.Ordinal).ToList();
        _known ??= classes.ConvertAll(group => group.Key);
        Refuse(classes.Exists(group => !_known.Contains(group.Key, StringComparer.Ordinal)), "does not have. Add the class there");
        var before = _images.Count;
        foreach (var group in classes)
        {
            ReadClass([.. group], group.Key, split);
        }

        Refuse(split is SplitName.Validation or SplitName.Test && _images.Count == before, "has no images. Fill");
    }

    // Everything below; then what links lead to, the first by name first, as long as it was not read yet.
    private void ReadClass(List<Place> folders, string name, SplitName split)
    {
        var read = new HashSet<string>(StringComparer.Ordinal);
        var waiting = new List<Place>(folders);
        while (waiting.Count > 0)
        {
            var next = waiting.Find(folder => !folder.IsLink) ?? waiting.MinBy(folder => Text(folder.Path), StringComparer.Ordinal)!;
            waiting.Remove(next);
            if (!read.Add(next.Real[^1]))
            {
                _skipped.Add((next.Path, SkipReason.LinkLoop));
                continue;
            }

            var below = Folders(next);
            var kinds = below.Select(Split).Where(kind => kind >= 0).Distinct().Count();
            Refuse(
                folders.Contains(next)
                    && (kinds > 1 || (kinds == 1 && below.TrueForAll(folder => Split(folder) >= 0) && FilesIn(next).Count == 0)),
                "names of splits. Splits stand above"
            );
            Skip(next);
            foreach (var file in FilesIn(next))
            {
                _images.Add($"{Relative(file)} {name} {split}");
                if (split is SplitName.Train or SplitName.Unassigned)
                {
                    _classesWithTraining.Add(name);
                }
            }

            waiting.AddRange(below);
        }
    }

    private static void Refuse(bool refused, string words)
    {
        if (refused)
        {
            throw new RefusedException(words);
        }
    }

    private List<Place> Folders(Place folder) => [.. Look(folder).Where(entry => entry.Folder is not null).Select(entry => entry.Folder!)];

    private List<string> FilesIn(Place folder) =>
        [.. Look(folder).Where(entry => entry.Folder is null && entry.Reason is null).Select(entry => entry.Path)];

    private void Skip(Place folder) =>
        _skipped.UnionWith(Look(folder).Where(entry => entry.Reason is not null).Select(entry => (entry.Path, entry.Reason!.Value)));

    // What each name in a folder stands for: a folder, a file (neither folder nor reason), or a reason to skip it.
    private IEnumerable<(string Path, Place? Folder, SkipReason? Reason)> Look(Place folder)
    {
        foreach (var name in tree.NamesIn(folder.Real[^1]).Where(name => name[0] != '.' && name is not ("__MACOSX" or "Thumbs.db")))
        {
            var path = $"{folder.Path}/{name}";
            var real = $"{folder.Real[^1]}/{name}";
            var isLink = tree.At(real)!.Value.Standing == Standing.Link;
            if (Text(name) is null)
            {
                yield return (path, null, SkipReason.NameNotUtf8);
                continue;
            }

            var end = isLink ? Follow(path) : real;
            if (end is null)
            {
                yield return (path, null, SkipReason.LinkLoop);
            }
            else if (isLink && !IsIn(end, LayoutTree.Source) && !IsIn(end, LayoutTree.Allowed))
            {
                yield return (path, null, SkipReason.LinkOutside);
            }
            else if (tree.At(end) is not { } there)
            {
                yield return (path, null, SkipReason.LinkDangling);
            }
            else if (there.Standing == Standing.File)
            {
                yield return (path, null, null);
            }
            else if (isLink && Array.Exists(folder.Real, place => IsIn(place, end)))
            {
                yield return (path, null, SkipReason.LinkLoop);
            }
            else
            {
                yield return (path, new Place(path, [.. folder.Real, end], isLink), null);
            }
        }
    }

    // Where a path ends, links in every part of it followed; null after more than 40 of them.
    private string? Follow(string path)
    {
        var reached = new List<string>();
        var rest = new List<string>(path.Split('/'));
        for (var links = 0; rest.Count > 0; )
        {
            var part = rest[0];
            rest.RemoveAt(0);
            if (part == "..")
            {
                reached.RemoveAt(reached.Count - 1);
                continue;
            }

            reached.Add(part);
            if (tree.At(string.Join('/', reached)) is not (Standing.Link, var target))
            {
                continue;
            }

            if (++links > 40)
            {
                return null;
            }

            // A target that is no UTF-8 reads as characters that name nothing.
            target = Text(target) is null ? "outside/nothing" : target;
            if (target[0] == '/')
            {
                reached.Clear();
            }
            else
            {
                reached.RemoveAt(reached.Count - 1);
            }

            rest.InsertRange(0, target.Split('/', StringSplitOptions.RemoveEmptyEntries));
        }

        return string.Join('/', reached);
    }

    private static bool IsIn(string path, string folder) => path == folder || path.StartsWith(folder + "/", StringComparison.Ordinal);

    private static bool IsImage(string file) =>
        file.EndsWith(".jpg", StringComparison.Ordinal) || file.EndsWith(".png", StringComparison.Ordinal);

    private static int Split(Place folder) => Split(folder.Name);

    private static int Split(string name)
    {
        var word = name.ToLowerInvariant();
        word = word.EndsWith("set", StringComparison.Ordinal) ? word[..^3].TrimEnd('_', '-', ' ') : word;
        return Array.FindIndex(Words, names => names.Contains(word, StringComparer.Ordinal));
    }

    private static int Mentioned(Place folder) =>
        folder.Name.Split('_', '-', ' ', '2').Where(word => word.Length > 0).Select(Split).FirstOrDefault(split => split >= 0, -1);

    private static string? Text(string bytes)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Encoding.Latin1.GetBytes(bytes));
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    // The one name that is drawn in two forms.
    private static string ClassOf(Place folder) => Text(folder.Name)!.Replace("e\u0301", "\u00e9", StringComparison.Ordinal);

    // As file indexes name it, and the list of what was skipped: bytes that are no text as \xe9.
    private string Relative(string path)
    {
        var (root, parts) = (_root.Split('/'), path.Split('/'));
        var same = root.Zip(parts).TakeWhile(pair => pair.First == pair.Second).Count();
        return string.Join('/', Enumerable.Repeat("..", root.Length - same).Concat(parts[same..].Select(Shown)));
    }

    private static string Shown(string name) =>
        Text(name) is { } text && !text.Any(char.IsControl)
            ? text
            : string.Concat(
                name.Select(value =>
                    value is < ' ' or > '~' ? string.Create(CultureInfo.InvariantCulture, $"\\x{(int)value:x2}") : $"{value}"
                )
            );
}
