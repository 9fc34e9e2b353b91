namespace Distributed.Datasets.Sources;

/// <summary>Resolves the symbolic links in every component of a path, which .NET does for the last one only.</summary>
internal static class RealPath
{
    // What Linux allows before it speaks of a circle.
    private const int MaximalLinks = 40;

    private static readonly char[] Separators = [Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar];

    /// <summary>The path without links; what stands there need not exist.</summary>
    /// <exception cref="DatasetException">Its links lead round in a circle.</exception>
    public static string Resolve(string path) =>
        TryResolve(path)
        ?? throw new DatasetException($"'{path}' leads through more than {MaximalLinks} symbolic links. Remove the circle.");

    /// <summary>The path without links; null where they lead round in a circle.</summary>
    public static string? TryResolve(string path)
    {
        var links = 0;
        var resolved = Path.GetPathRoot(Path.GetFullPath(path))!;
        var rest = Split(Path.GetFullPath(path)[resolved.Length..]);
        while (rest.TryPop(out var part))
        {
            // The parts of a link's target, one after the other as the kernel takes them: .. is the folder above the one that was reached.
            if (part is "." or "..")
            {
                resolved = part == "." ? resolved : Path.GetDirectoryName(resolved) ?? resolved;
                continue;
            }

            var next = Path.Combine(resolved, part);
            var target = new FileInfo(next).LinkTarget;
            if (target is null)
            {
                resolved = next;
                continue;
            }

            if (++links > MaximalLinks)
            {
                return null;
            }

            var root = Path.GetPathRoot(target)!;
            resolved = root.Length > 0 ? Path.GetPathRoot(Path.GetFullPath(target, resolved))! : resolved;
            foreach (var later in Split(target[root.Length..]).Reverse())
            {
                rest.Push(later);
            }
        }

        return resolved;
    }

    /// <summary>Whether a path is a folder's or lies below it; both without links.</summary>
    public static bool IsWithin(string folder, string path) =>
        path.StartsWith(folder, StringComparison.Ordinal)
        && (path.Length == folder.Length || Path.EndsInDirectorySeparator(folder) || path[folder.Length] == Path.DirectorySeparatorChar);

    // A stack whose top is the first component.
    private static Stack<string> Split(string path) => new(path.Split(Separators, StringSplitOptions.RemoveEmptyEntries).Reverse());
}
