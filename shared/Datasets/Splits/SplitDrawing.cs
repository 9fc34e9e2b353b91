using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Distributed.Datasets.Splits;

/// <summary>The steps of drawing a split. Chance is a hash, so that every platform and version draws the same.</summary>
internal sealed class SplitDrawing(DatasetManifest manifest, int seed)
{
    public List<int> Given(SplitName split) =>
        [.. Enumerable.Range(0, manifest.Images.Count).Where(index => manifest.Images[index].Split == split)];

    /// <summary>Takes a part of the images, class by class, equal images together.</summary>
    public List<int> Draw(List<int> images, double fraction, string purpose)
    {
        // A group that occurs under several labels counts for the class of its first image.
        var groups = images
            .GroupBy(index => manifest.Images[index].Sha256, StringComparer.Ordinal)
            .Select(group => group.Order().ToArray())
            .GroupBy(group => manifest.Images[group[0]].Label);
        var drawn = new List<int>();
        foreach (var ofClass in groups)
        {
            var ordered = ofClass.OrderBy(group => Chance(purpose, group[0]), StringComparer.Ordinal).ToList();
            var quota = Quota(ordered.Sum(group => group.Length), fraction);
            // The last group stays, whatever the quota: train needs an image of every class.
            foreach (var group in ordered.SkipLast(1))
            {
                if (group.Length <= quota)
                {
                    quota -= group.Length;
                    drawn.AddRange(group);
                }
            }
        }

        return drawn;
    }

    /// <summary>The images whose bytes are not among the others'; the rest goes to <paramref name="removed"/>.</summary>
    public List<int> RemoveKnown(List<int> images, List<int> others, List<int> removed)
    {
        var known = others.Select(index => manifest.Images[index].Sha256).ToHashSet(StringComparer.Ordinal);
        var (kept, dropped) = (new List<int>(), new List<int>());
        foreach (var index in images)
        {
            (known.Contains(manifest.Images[index].Sha256) ? dropped : kept).Add(index);
        }

        removed.AddRange(dropped);
        return kept;
    }

    // Rounded, but one image at least where two are there, and never all.
    private static int Quota(int count, double fraction) =>
        fraction <= 0 ? 0 : Math.Min(Math.Max((int)Math.Round(count * fraction, MidpointRounding.AwayFromZero), 1), count - 1);

    private string Chance(string purpose, int index)
    {
        var image = manifest.Images[index];
        var text = Encoding.UTF8.GetBytes($"{purpose} {image.Sha256}");
        var bytes = new byte[text.Length + 8];
        text.CopyTo(bytes, 0);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(text.Length), seed);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(text.Length + 4), index);
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }
}
