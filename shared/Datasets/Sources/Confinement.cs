using Microsoft.Win32.SafeHandles;

namespace Distributed.Datasets.Sources;

/// <summary>Keeps the reading of a source inside its folder and the directories that runs may read, whatever links lead out of them.</summary>
internal static class Confinement
{
    /// <summary>Refuses files that links lead elsewhere.</summary>
    /// <param name="root">The source's folder.</param>
    /// <param name="path">A file below it, which need not exist.</param>
    /// <param name="roots">Directories that links may lead to beside the folder.</param>
    /// <exception cref="DatasetException">It is elsewhere.</exception>
    public static void ThrowIfOutside(string root, string path, DataRoots? roots = null) =>
        ThrowIfOutside(root, path, RealPath.Resolve(path), roots);

    /// <summary>Opens a file, and makes sure where it is when it is open: no exchange for a link in the meantime leads elsewhere.</summary>
    /// <param name="root">The source's folder.</param>
    /// <param name="path">A file below it.</param>
    /// <param name="options">How it is to be opened.</param>
    /// <param name="roots">Directories that links may lead to beside the folder.</param>
    /// <exception cref="DatasetException">It is elsewhere.</exception>
    public static SafeFileHandle OpenRead(string root, string path, FileOptions options, DataRoots? roots = null)
    {
        var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, options);
        try
        {
            ThrowIfOutside(root, path, handle, roots);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Refuses an open file that is elsewhere.</summary>
    public static void ThrowIfOutside(string root, string path, SafeFileHandle handle, DataRoots? roots = null)
    {
        // On Linux the kernel says which file is open; elsewhere the path is looked at again.
        var opened = OperatingSystem.IsLinux() ? new FileInfo($"/proc/self/fd/{handle.DangerousGetHandle()}").LinkTarget : null;
        ThrowIfOutside(root, path, opened ?? RealPath.Resolve(path), roots);
    }

    private static void ThrowIfOutside(string root, string path, string real, DataRoots? roots)
    {
        if (!RealPath.IsWithin(RealPath.Resolve(root), real) && roots?.Holds(real) != true)
        {
            throw new DatasetException(
                $"'{path}' is a link that leads out of the data set's folder '{root}' and of the directories that runs may read. Put the file itself there."
            );
        }
    }
}
