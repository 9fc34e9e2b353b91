using System.Text;
using System.Text.Unicode;
using Distributed.Datasets;
using Distributed.Datasets.Archives;

namespace Distributed.Fuzzing.Targets;

/// <summary>
/// The names in archives of one kind. An input is a list of entries, of which an archive is written: two different names never become one, one folder
/// never becomes two, no name leads out, what is there is what was packed, and nothing is refused without a reason.
/// </summary>
internal sealed class ArchiveNamesTarget : FuzzTarget
{
    private const int MostEntries = 12;
    private const int MostNameBytes = 63;
    private const int MostFolders = 32;

    private static readonly Encoding CodePage437 = CodePagesEncodingProvider.Instance.GetEncoding(437)!;

    private readonly Sandbox _sandbox = new();
    private readonly bool _isZip;
    private readonly string _target;

    public ArchiveNamesTarget(string name)
    {
        Name = name;
        _isZip = name == "zip-names";
        _target = _sandbox.At("target");
    }

    public override string Name { get; }

    protected override IReadOnlyList<byte[]> Seeds { get; } =
    [
        Recipe((0, Bytes("cat/1.png"), []), (0, Bytes("dog/2.png"), []), (0, Bytes("cat/3.png"), [])),
        Recipe((0, [(byte)'c', 0x82, (byte)'/', (byte)'1'], []), (0, [(byte)'c', 0x8A, (byte)'/', (byte)'1'], []), (1, Bytes("cé/2"), [])),
        Recipe((1, Bytes("é/1"), []), (0, Bytes("é/2"), []), (2, Bytes("?/3"), Bytes("é/3")), (6, Bytes("?/4"), Bytes("é/4"))),
        Recipe(
            (1, [(byte)'c', 0xE9, (byte)'/', (byte)'1'], []),
            (1, Bytes("c%E9/2"), []),
            (2, Bytes("d/"), []),
            (1, [(byte)'%', 0xE8], [])
        ),
        Recipe((1, Bytes("set/./a\\b/1"), []), (2, Bytes("set/x/../c/2"), []), (0, Bytes("set/a/3"), [])),
    ];

    protected override IReadOnlyList<byte[]> Words { get; } =
    [
        .. AsBytes("é", "è", "e\u0301", "%E9", "%25", "%", "/", "\\", "..", ".", "../", "a/", "\0", "日本", "😀", "\uFFFD"),
        [0x82],
        [0x8A],
        [0xE9],
        [0xE8],
        [0xC3],
        [0xA9],
        [0xED, 0xA0, 0x80],
        [0xFF],
        [0, 3],
        [1, 4],
        [2, 3],
    ];

    public override bool Parse(byte[] input)
    {
        var entries = ReadRecipe(input);
        var expected = entries.ConvertAll(Expect);
        Directory.CreateDirectory(_target);
        try
        {
            using var archive = new MemoryStream(_isZip ? RawArchives.Zip(entries) : RawArchives.Tar(entries));
            DatasetArchive.ExtractAsync(archive, "archive", _target, CancellationToken.None).GetAwaiter().GetResult();
            AssertThere(expected);
            return true;
        }
        catch (DatasetException refused)
        {
            Promise(MayBeRefused(expected), $"there is no reason for '{refused.Message}'");
            return Refuse(refused.Message);
        }
        finally
        {
            Directory.Delete(_target, recursive: true);
            Promise(!Directory.EnumerateFileSystemEntries(_sandbox.Root).Any(), "something was written beside the target");
        }
    }

    protected override void Dispose(bool disposing)
    {
        _sandbox.Dispose();
        base.Dispose(disposing);
    }

    private void AssertThere(List<Expected> expected)
    {
        Promise(!expected.Any(entry => entry.MustBeRefused), "an unsafe name was accepted");
        var files = expected.Where(entry => !entry.IsDirectory).ToList();
        var found = Directory.GetFiles(_target, "*", SearchOption.AllDirectories);
        Promise(found.Length == files.Count, $"{files.Count} files were packed, and {found.Length} are there");
        var (toPacked, toDisk) = (
            new Dictionary<string, string>(StringComparer.Ordinal),
            new Dictionary<string, string>(StringComparer.Ordinal)
        );
        foreach (var path in found)
        {
            var entry = expected[File.ReadAllBytes(path).Single() - 1];
            var parts = Path.GetRelativePath(_target, path).Split(Path.DirectorySeparatorChar);
            Promise(parts.Length == entry.Parts.Count, "a file is in another depth");
            for (var depth = 0; depth < parts.Length; depth++)
            {
                Promise(entry.Parts[depth].Text is not { } text || text == parts[depth], $"'{parts[depth]}' is not what was packed");
                var onDisk = string.Join('/', parts[..(depth + 1)]);
                var packed = string.Join('/', entry.Parts.Take(depth + 1).Select(part => part.Identity));
                Promise(!toPacked.TryGetValue(onDisk, out var other) || other == packed, $"two names became '{onDisk}'");
                Promise(!toDisk.TryGetValue(packed, out var place) || place == onDisk, $"one name became '{onDisk}' and '{place}'");
                (toPacked[onDisk], toDisk[packed]) = (packed, onDisk);
            }
        }
    }

    private static bool MayBeRefused(List<Expected> expected)
    {
        var paths = expected.Where(entry => !entry.IsDirectory).Select(entry => entry.Parts).ToList();
        if (paths.Count == 0 || expected.Any(entry => entry.MustBeRefused || entry.Separators >= MostFolders))
        {
            return true;
        }

        // Bytes that are no text are shown by percent signs, as another name may have.
        var isEscaped =
            paths.Any(parts => parts.Any(part => part.Text is null))
            && paths.Any(parts => parts.Any(part => part.Text?.Contains('%', StringComparison.Ordinal) == true));
        var seen = new Dictionary<string, (string Identity, bool IsFile)>(StringComparer.Ordinal);
        foreach (var parts in paths)
        {
            for (var depth = 1; depth <= parts.Count; depth++)
            {
                var shown = string.Join('/', parts.Take(depth).Select(part => part.Text ?? part.Identity));
                var identity = string.Join('/', parts.Take(depth).Select(part => part.Identity));
                var isFile = depth == parts.Count;
                if (seen.TryGetValue(shown, out var other) && (other.Identity != identity || other.IsFile || isFile))
                {
                    return true;
                }

                seen[shown] = (identity, isFile);
            }
        }

        return isEscaped;
    }

    /// <summary>What is to come of an entry, by the formats' specifications.</summary>
    private Expected Expect(RawEntry entry)
    {
        var name = entry.Name;
        var isZip = _isZip;
        if (!isZip && entry.Naming != TarNaming.Pax)
        {
            name = [.. name.TakeWhile(value => value != 0)];
        }

        var declared = isZip && (entry.Flags & RawArchives.Utf8Flag) != 0 && Utf8.IsValid(name) ? name : null;
        if (
            isZip
            && declared is null
            && entry.Extra.Length > 9
            && entry.Extra.AsSpan().SequenceEqual(RawArchives.UnicodePath(name, entry.Extra[9..]))
            && Utf8.IsValid(entry.Extra.AsSpan(9))
        )
        {
            declared = entry.Extra[9..];
        }

        name = declared ?? name;
        var isDirectory = name.Length > 0 && (name[^1] == '/' || (isZip && name[^1] == '\\'));
        var mustBeRefused = name.Contains((byte)0) || (name.Length > 0 && name[0] is (byte)'/' or (byte)'\\');
        var parts = new List<(string Identity, string? Text)>();
        var separators = 0;
        for (var rest = name; ; separators++)
        {
            var end = Array.FindIndex(rest, value => value is (byte)'/' or (byte)'\\');
            var part = end < 0 ? rest : rest[..end];
            var text =
                Utf8.IsValid(part) ? Encoding.UTF8.GetString(part)
                : isZip && (entry.Flags & RawArchives.Utf8Flag) == 0 ? CodePage437.GetString(part)
                : null;
            if (text == "..")
            {
                mustBeRefused |= parts.Count == 0;
                parts = [.. parts.SkipLast(1)];
            }
            else if (text is not ("" or "."))
            {
                parts.Add((Utf8.IsValid(part) ? $"text {text}" : $"{(text is null ? "bytes" : "437")} {Convert.ToHexString(part)}", text));
            }

            if (end < 0)
            {
                break;
            }

            rest = rest[(end + 1)..];
        }

        return new Expected(parts, isDirectory, mustBeRefused || (!isDirectory && parts.Count == 0), separators);
    }

    /// <summary>Each entry: a byte of choices, the length of its name and that of the name in its extra field, and both.</summary>
    private static List<RawEntry> ReadRecipe(ReadOnlySpan<byte> recipe)
    {
        var entries = new List<RawEntry>();
        while (recipe.Length >= 3 && entries.Count < MostEntries)
        {
            var (choices, nameLength, unicodeLength) = (recipe[0], recipe[1] & MostNameBytes, recipe[2] & MostNameBytes);
            recipe = recipe[3..];
            var name = recipe[..Math.Min(recipe.Length, nameLength)].ToArray();
            recipe = recipe[name.Length..];
            var unicode = recipe[..Math.Min(recipe.Length, unicodeLength)].ToArray();
            recipe = recipe[unicode.Length..];
            entries.Add(
                new RawEntry(name, [(byte)(entries.Count + 1)])
                {
                    Flags = (choices & 1) != 0 ? RawArchives.Utf8Flag : (ushort)0,
                    Extra = (choices & 2) != 0 ? RawArchives.UnicodePath(name, unicode, (choices & 4) != 0 ? 1u : 0) : [],
                    Naming = (TarNaming)(choices % 3),
                }
            );
        }

        return entries;
    }

    private static byte[] Recipe(params (byte Choices, byte[] Name, byte[] Unicode)[] entries) =>
        [
            .. entries.SelectMany<(byte Choices, byte[] Name, byte[] Unicode), byte>(entry =>
                [entry.Choices, (byte)entry.Name.Length, (byte)entry.Unicode.Length, .. entry.Name, .. entry.Unicode]
            ),
        ];

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private sealed record Expected(List<(string Identity, string? Text)> Parts, bool IsDirectory, bool MustBeRefused, int Separators);
}
