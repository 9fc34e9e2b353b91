namespace Distributed.Datasets;

/// <summary>Resolves the symbolic links in every component of a path, which .NET does for the last one only.</summary>
internal static class RealPath
{
    // What Linux allows before it speaks of a circle.
    private const int MaximalLinks = 40;

    public static string Resolve(string path)
    {
        var links = 0;
        var root = Path.GetPathRoot(Path.GetFullPath(path))!;
        var resolved = root;
        var rest = Split(Path.GetFullPath(path)[root.Length..]);
        while (rest.TryPop(out var part))
        {
            var next = Path.Combine(resolved, part);
            var target = new FileInfo(next).LinkTarget;
            if (target is null)
            {
                resolved = next;
                continue;
            }

            if (++links > MaximalLinks)
            {
                throw new DatasetException($"'{path}' leads through more than {MaximalLinks} symbolic links. Remove the circle.");
            }

            var full = Path.GetFullPath(target, resolved);
            resolved = Path.GetPathRoot(full)!;
            foreach (var later in Split(full[resolved.Length..]).Reverse())
            {
                rest.Push(later);
            }
        }

        return resolved;
    }

    // A stack whose top is the first component.
    private static Stack<string> Split(string path) =>
        new(path.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Reverse());
}
