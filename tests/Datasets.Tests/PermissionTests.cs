using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tests;

/// <summary>What the process may not read is never called absent.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class PermissionTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose()
    {
        Open(_directory.Root);
        foreach (var folder in Directory.EnumerateDirectories(_directory.Root, "*", SearchOption.AllDirectories))
        {
            Open(folder);
        }

        _directory.Dispose();
    }

    [Fact]
    public void A_folder_below_a_closed_one_may_not_be_read()
    {
        _directory.WriteImage("closed/set/a/1", 1);
        Close(_directory.At("closed"));

        var refused = AsAnyUser(() => new DataRoots([_directory.Root]).Resolve(_directory.At("closed", "set")));

        Assert.Contains($"'{_directory.At("closed", "set")}' may not be read by this process", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Grant the right to read", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_closed_folder_may_not_be_listed()
    {
        _directory.WriteImage("set/a/1", 1);
        _directory.WriteImage("set/b/1", 1);
        Close(_directory.At("set"));
        Assert.Contains("may not be read by this process", AsAnyUser(() => List("set")).Message, StringComparison.Ordinal);

        Open(_directory.At("set"));
        Close(_directory.At("set", "b"));
        var refused = AsAnyUser(() => List("set"));
        Assert.Contains("may not be read by this process", refused.Message, StringComparison.Ordinal);
        Assert.Contains(_directory.At("set", "b"), refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_into_a_closed_folder_is_not_dangling()
    {
        _directory.WriteImage("set/a/1", 1);
        _directory.WriteImage("set/b/1", 1);
        _directory.WriteImage("closed/set/c", 1);
        File.CreateSymbolicLink(_directory.At("set", "a", "link"), _directory.At("closed", "set", "c"));
        Close(_directory.At("closed"));

        Assert.Contains(
            $"'{_directory.At("closed", "set", "c")}' may not be read",
            AsAnyUser(() => List("set")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_closed_file_is_named()
    {
        var file = _directory.WriteImage("set/a/1", 1);
        _directory.WriteImage("set/b/1", 1);
        Close(file);
        var fileIndex = ImageFolderLayout.List(_directory.At("set"), roots: null, progress: null, CancellationToken.None);
        using var source = new ImageSource(fileIndex);

        Assert.Contains(
            $"'{file}' may not be read",
            AsAnyUser(() => source.ReadAsync(0, CancellationToken.None).GetAwaiter().GetResult()).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "may not be read",
            AsAnyUser(() => new DataRoots([_directory.Root]).OpenRead(file).Dispose()).Message,
            StringComparison.Ordinal
        );
    }

    private void List(string name)
    {
        try
        {
            ImageFolderLayout.List(_directory.At(name), new DataRoots([_directory.Root]), progress: null, CancellationToken.None);
        }
        catch (UnauthorizedAccessException exception)
        {
            // As DatasetSource does, which lists on another thread.
            throw Present.NotReadable(exception.Message, exception);
        }
    }

    /// <summary>Runs an action as somebody who is not root, on whom rights have no hold: Linux keeps the user that files are opened as by thread.</summary>
    private static DatasetException AsAnyUser(Action action)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "rights are otherwise here");
        const uint Nobody = 65534;
        Exception? thrown = null;
        var thread = new Thread(() =>
            thrown = Record.Exception(() =>
            {
                if (Environment.IsPrivilegedProcess)
                {
                    // It answers who was before; so the second answer shows what the first has done.
                    _ = SetUser(Nobody);
                    Assert.Equal((int)Nobody, SetUser(Nobody));
                }

                action();
            })
        );
        thread.Start();
        thread.Join();
        return Assert.IsType<DatasetException>(thrown);
    }

    private static void Close(string path) => File.SetUnixFileMode(path, UnixFileMode.None);

    private static void Open(string folder) =>
        File.SetUnixFileMode(
            folder,
            UnixFileMode.UserRead
                | UnixFileMode.UserWrite
                | UnixFileMode.UserExecute
                | UnixFileMode.GroupRead
                | UnixFileMode.GroupExecute
                | UnixFileMode.OtherRead
                | UnixFileMode.OtherExecute
        );

    [LibraryImport("libc", EntryPoint = "setfsuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetUser(uint user);
}
