using Distributed.Storage;

namespace Distributed.Datasets.Sources;

/// <summary>What stands at a path.</summary>
internal enum Presence
{
    /// <summary>Nothing.</summary>
    Absent,

    /// <summary>A file, or a pipe, socket or device.</summary>
    File,

    /// <summary>A folder.</summary>
    Folder,
}

/// <summary>Looks what stands at a path. <see cref="File.Exists"/> and its like call absent what the process may not look at.</summary>
internal static class Present
{
    /// <summary>Looks at a path that is followed through all its links.</summary>
    /// <exception cref="DatasetException">The process may not look there.</exception>
    public static Presence At(string path) => RealPath.TryResolve(path) is { } real ? AtReal(real) : Presence.Absent;

    /// <summary>Looks at a path that has no links in it.</summary>
    /// <exception cref="DatasetException">The process may not look there.</exception>
    public static Presence AtReal(string path)
    {
        try
        {
            return File.GetAttributes(path).HasFlag(FileAttributes.Directory) ? Presence.Folder : Presence.File;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return Presence.Absent;
        }
        catch (PathTooLongException exception)
        {
            throw new DatasetException(
                $"'{SafeText.Shorten(path, 200)}' is longer than the paths that the system opens. Shorten the names of its folders.",
                exception
            );
        }
        catch (UnauthorizedAccessException exception)
        {
            throw NotReadable(path, exception);
        }
    }

    /// <summary>The error about what is there, or may be, and is closed to this process.</summary>
    public static DatasetException NotReadable(string path, Exception cause) =>
        new(
            $"'{path}' may not be read by this process, which runs as '{Environment.UserName}': one of the folders above it, or it itself, is closed to that user. Grant the right to read (chmod -R a+rX).",
            cause
        );
}
