using Microsoft.Win32.SafeHandles;

namespace Distributed.Datasets;

/// <summary>Keeps the reading of a source inside its folder, whatever links lead out of it.</summary>
internal static class Confinement
{
    /// <summary>Refuses files that links lead elsewhere.</summary>
    /// <param name="root">The source's folder.</param>
    /// <param name="path">A file below it, which need not exist.</param>
    /// <exception cref="DatasetException">It is elsewhere.</exception>
    public static void ThrowIfOutside(string root, string path) => ThrowIfOutside(root, path, RealPath.Resolve(path));

    /// <summary>Opens a file, and makes sure where it is when it is open: no exchange for a link in the meantime leads elsewhere.</summary>
    /// <param name="root">The source's folder.</param>
    /// <param name="path">A file below it.</param>
    /// <param name="options">How it is to be opened.</param>
    /// <exception cref="DatasetException">It is elsewhere.</exception>
    public static SafeFileHandle OpenRead(string root, string path, FileOptions options)
    {
        var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, options);
        try
        {
            ThrowIfOutside(root, path, handle);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Refuses an open file that is elsewhere.</summary>
    public static void ThrowIfOutside(string root, string path, SafeFileHandle handle)
    {
        // On Linux the kernel tells which file is open; elsewhere the path is looked at again.
        var opened = OperatingSystem.IsLinux() ? new FileInfo($"/proc/self/fd/{handle.DangerousGetHandle()}").LinkTarget : null;
        ThrowIfOutside(root, path, opened ?? RealPath.Resolve(path));
    }

    private static void ThrowIfOutside(string root, string path, string real)
    {
        var inside = RealPath.Resolve(root);
        if (!real.StartsWith(Path.EndsInDirectorySeparator(inside) ? inside : inside + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            throw new DatasetException($"'{path}' is a link that leads out of the data set's folder '{root}'. Put the file itself there.");
        }
    }
}
