using System.Text;
using Distributed.Datasets;
using Distributed.Datasets.Sources;

namespace Distributed.Fuzzing.Targets;

/// <summary>Image folders: drawn trees of names and links, and what comes of them beside what must.</summary>
internal sealed class LayoutTarget : FuzzTarget
{
    private readonly Sandbox _sandbox = new();
    private readonly DataRoots _roots;

    public LayoutTarget()
    {
        _roots = new DataRoots([_sandbox.At(LayoutTree.Source), _sandbox.At(LayoutTree.Allowed)]);
        // Unicode's tables are read once, with the first name that needs them.
        _ = ClassName.Read("é", "");
    }

    public override string Name => "folders";

    protected override IReadOnlyList<byte[]> Seeds => [];

    // What the oracle takes is in it.
    public override long MostAllocated(int length) => 8 << 20;

    public override byte[] Create(FuzzRandom random) => LayoutTree.Draw(random).ToBytes();

    public override bool Parse(byte[] input)
    {
        var tree = LayoutTree.Read(input);
        var expected = new LayoutOracle(tree).Answer();
        tree.Make(_sandbox.Root);
        try
        {
            var fileIndex = DatasetSource.ListAsync(_sandbox.At(LayoutTree.Source), _roots).GetAwaiter().GetResult();
            Promise(expected.Error is null, $"accepted, though it '{expected.Error}'");
            Same(
                "images",
                expected.Images,
                fileIndex.Entries.Select(entry => $"{Escaped(entry.Name)} {fileIndex.ClassNames[entry.Label]} {entry.Split}")
            );
            Same("skipped", expected.Skipped, fileIndex.Skipped.Select(file => $"{file.Name} {file.Reason}"));
            return true;
        }
        catch (DatasetException refused)
        {
            Promise(expected.Error is not null, $"refused: {refused.Message}");
            Promise(
                refused.Message.Contains(expected.Error!, StringComparison.Ordinal),
                $"refused, though not because it '{expected.Error}': {refused.Message}"
            );
            return Refuse(refused.Message);
        }
        finally
        {
            tree.Remove(_sandbox.Root);
        }
    }

    protected override void Dispose(bool disposing)
    {
        _sandbox.Dispose();
        base.Dispose(disposing);
    }

    private static string Escaped(string name) => RawNames.Escape(Encoding.UTF8.GetBytes(name));

    private static void Same(string what, IReadOnlyList<string> expected, IEnumerable<string> actual)
    {
        var found = actual.Order(StringComparer.Ordinal).ToList();
        Promise(
            expected.SequenceEqual(found, StringComparer.Ordinal),
            $"{what}: expected [{string.Join(", ", expected.Except(found))}], which is missing, and not [{string.Join(", ", found.Except(expected))}]; {found.Count} of {expected.Count}"
        );
    }
}
