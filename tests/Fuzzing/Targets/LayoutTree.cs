using System.Runtime.InteropServices;
using System.Text;

namespace Distributed.Fuzzing.Targets;

/// <summary>What stands at a path of a drawn tree.</summary>
internal enum Standing
{
    /// <summary>A folder.</summary>
    Folder,

    /// <summary>An empty file.</summary>
    File,

    /// <summary>A link.</summary>
    Link,
}

/// <summary>
/// Folders, files and links below three folders: <c>source</c> is listed, <c>allowed</c> may be read through links, <c>outside</c> may not. A path is kept
/// as one character a byte, since names need not be UTF-8.
/// </summary>
internal sealed partial class LayoutTree
{
    public const string Source = "source";
    public const string Allowed = "allowed";
    public const string Outside = "outside";

    private const int EntriesToAdd = 5;

    // é in Latin 1, which is no UTF-8; in UTF-8, as one character; as e and a mark.
    private static readonly string[] Classes =
    [
        "a",
        "b",
        "cat",
        "caf\u00e9",
        "caf\u00c3\u00a9",
        "cafe\u00cc\u0081",
        "train",
        "\u00ef\u00bf\u00bd",
    ];
    private static readonly string[] Files = ["1.jpg", "2.png", "3", "LICENSE.txt", "p\u00e9.jpg", ".hidden", "Thumbs.db", "c\u0001"];
    private static readonly string[] Trains = ["train", "Train", "training", "training_set", "TRAIN-SET"];
    private static readonly string[] Validations = ["val", "valid", "Validation", "dev", "valset"];
    private static readonly string[] Tests = ["test", "Testing", "eval", "evaluation", "test set"];

    private static readonly string[] Others =
    [
        "seg_train",
        "seg_test",
        "my-val2",
        "extra",
        "__MACOSX",
        ".git",
        "set",
        "link",
        new string('x', 200),
        new string('x', 201),
        "n\u0001",
        "\u00ff\u00fe",
    ];

    private readonly List<string> _order = [];
    private readonly Dictionary<string, (Standing Standing, string Target)> _entries = new(StringComparer.Ordinal);

    private LayoutTree() { }

    /// <summary>What stands at a path; null for nothing.</summary>
    public (Standing Standing, string Target)? At(string path) => _entries.TryGetValue(path, out var entry) ? entry : null;

    /// <summary>Names in a folder.</summary>
    public IEnumerable<string> NamesIn(string folder) =>
        _order
            .Where(path =>
                path.Length > folder.Length
                && path.StartsWith(folder + "/", StringComparison.Ordinal)
                && path.IndexOf('/', folder.Length + 1) < 0
            )
            .Select(path => path[(folder.Length + 1)..]);

    /// <summary>Draws a tree: mostly something like a data set, with a few entries more.</summary>
    public static LayoutTree Draw(FuzzRandom random)
    {
        var tree = new LayoutTree();
        tree.Add(Source, Standing.Folder);
        tree.Add(Allowed, Standing.Folder);
        tree.Add(Outside, Standing.Folder);
        tree.Add(Outside + "/secret", Standing.File);
        tree.DrawClasses(Allowed, random);
        var root = Source;
        while (random.OneIn(5))
        {
            root += "/" + random.Pick(Others);
            tree.Add(root, Standing.Folder);
        }

        if (random.OneIn(3))
        {
            tree.DrawClasses(root, random);
        }
        else
        {
            foreach (var (names, odds) in new[] { (Trains, 6), (Validations, 2), (Tests, 2) })
            {
                if (random.Below(odds) > 0)
                {
                    var split = $"{root}/{random.Pick(names)}";
                    tree.Add(split, Standing.Folder);
                    tree.DrawClasses(random.OneIn(12) ? tree.Add($"{split}/{random.Pick(names)}", Standing.Folder) : split, random);
                }
            }
        }

        for (var count = random.OneIn(3) ? 0 : random.Below(EntriesToAdd); count > 0; count--)
        {
            tree.AddAnything(random);
        }

        return tree;
    }

    /// <summary>One line an entry.</summary>
    public byte[] ToBytes() =>
        Encoding.Latin1.GetBytes(string.Join('\n', _order.Select(path => $"{_entries[path].Standing}\t{path}\t{_entries[path].Target}")));

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    public static LayoutTree Read(byte[] bytes)
    {
        var tree = new LayoutTree();
        foreach (var line in Encoding.Latin1.GetString(bytes).Split('\n'))
        {
            var parts = line.Split('\t');
            tree.Add(parts[1], Enum.Parse<Standing>(parts[0]), parts[2]);
        }

        return tree;
    }

    /// <summary>Makes the tree on disk, below a folder.</summary>
    public void Make(string below)
    {
        foreach (var path in _order)
        {
            var (standing, target) = _entries[path];
            Check(
                standing switch
                {
                    Standing.Folder => MakeDirectory(Native(below, path), 0b111_101_101),
                    Standing.File => MakeNode(Native(below, path), 0b1_000_000_110_100_100, 0),
                    _ => MakeLink(target.StartsWith('/') ? Native(below, target[1..]) : Native(target), Native(below, path)),
                }
            );
        }
    }

    /// <summary>Removes what <see cref="Make"/> made.</summary>
    public void Remove(string below)
    {
        foreach (var path in Enumerable.Reverse(_order))
        {
            Check(_entries[path].Standing == Standing.Folder ? RemoveDirectory(Native(below, path)) : RemoveFile(Native(below, path)));
        }
    }

    private string Add(string path, Standing standing, string target = "")
    {
        if (_entries.TryAdd(path, (standing, target)))
        {
            _order.Add(path);
        }

        return path;
    }

    private void DrawClasses(string folder, FuzzRandom random)
    {
        for (var count = random.OneIn(20) ? 0 : 2 + random.Below(2); count > 0; count--)
        {
            var name = count == 1 && random.OneIn(3) ? random.Pick(Classes) : Classes[count - 1];
            Add($"{folder}/{name}", Standing.Folder);
            for (var files = random.OneIn(25) ? 0 : 1 + random.Below(2); files > 0; files--)
            {
                Add($"{folder}/{name}/{(random.OneIn(8) ? random.Pick(Files) : Files[files - 1])}", Standing.File);
            }
        }
    }

    private void AddAnything(FuzzRandom random)
    {
        var folders = _order
            .Where(path => _entries[path].Standing == Standing.Folder && !path.StartsWith(Outside, StringComparison.Ordinal))
            .ToList();
        var folder = random.Pick(folders);
        var name = random.Pick(random.Pick([Classes, Files, Trains, Validations, Tests, Others, Others]));
        switch (random.Below(5))
        {
            case 0:
                Add($"{folder}/{name}", Standing.Folder);
                break;
            case 1:
                Add($"{folder}/{name}", Standing.File);
                break;
            default:
                var to =
                    random.OneIn(10) ? $"{random.Pick(folders)}/nothing"
                    : random.OneIn(10) ? $"{folder}/{name}"
                    : random.Pick(_order);
                // Absolute, or up to where all begins and down again.
                Add(
                    $"{folder}/{name}",
                    Standing.Link,
                    random.OneIn(2) ? "/" + to : string.Concat(Enumerable.Repeat("../", folder.Count(letter => letter == '/') + 1)) + to
                );
                break;
        }
    }

    private static void Check(int result)
    {
        if (result != 0)
        {
            throw new IOException($"The tree cannot be made: error {Marshal.GetLastPInvokeError()}.");
        }
    }

    private static byte[] Native(string below, string path) => [.. Encoding.UTF8.GetBytes(below + "/"), .. Native(path)];

    private static byte[] Native(string path) => [.. Encoding.Latin1.GetBytes(path), 0];

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MakeDirectory(byte[] path, uint mode);

    [LibraryImport("libc", EntryPoint = "mknod", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MakeNode(byte[] path, uint mode, nuint device);

    [LibraryImport("libc", EntryPoint = "symlink", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MakeLink(byte[] target, byte[] path);

    [LibraryImport("libc", EntryPoint = "unlink", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int RemoveFile(byte[] path);

    [LibraryImport("libc", EntryPoint = "rmdir", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int RemoveDirectory(byte[] path);
}
