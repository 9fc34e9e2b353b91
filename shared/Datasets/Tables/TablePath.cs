using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tables;

/// <summary>Finds the files that paths in a table name. The paths are looked up and never opened.</summary>
internal sealed class TablePath
{
    private readonly Dictionary<string, SourceFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SourceFile?> _composed = new(StringComparer.Ordinal);

    /// <summary>Takes the files.</summary>
    /// <param name="folder">The folder that paths begin in.</param>
    /// <param name="files">The files in it, at any depth.</param>
    public TablePath(SourceFolder folder, IEnumerable<SourceFile> files)
    {
        foreach (var file in files)
        {
            var name = DatasetSource.RelativeName(folder.Path, file.Path);
            _files.Add(name, file);
            // Two files whose names differ in their Unicode form alone are told by the exact names only.
            var composed = ClassName.Compose(name);
            _composed[composed] = _composed.ContainsKey(composed) ? null : file;
        }
    }

    /// <summary>Whether a path is absolute, or leads up.</summary>
    public static bool LeadsOut(string path) => path[0] is '/' or '\\' || path.Split('/', '\\').Contains("..", StringComparer.Ordinal);

    /// <summary>The parts of a path, between separators of any system, without those that say nothing.</summary>
    public static IEnumerable<string> Parts(string path) => path.Split('/', '\\').Where(part => part is not ("" or "."));

    /// <summary>The file that a path names: exactly, else with the separators of any system, else in the composed Unicode form; null for none.</summary>
    public SourceFile? Find(string path)
    {
        if (_files.TryGetValue(path, out var file))
        {
            return file;
        }

        var plain = string.Join('/', Parts(path));
        return _files.TryGetValue(plain, out file) ? file : _composed.GetValueOrDefault(ClassName.Compose(plain));
    }
}
