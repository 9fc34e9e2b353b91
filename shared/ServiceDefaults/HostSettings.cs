using System.ComponentModel.DataAnnotations;
using Distributed.Contracts;
using Microsoft.Extensions.Configuration;

namespace Distributed.ServiceDefaults;

/// <summary>
/// The settings of a host, checked before anything is built of it: every missing, wrong and unknown setting is named at once, as the
/// environment variable that sets it. A host describes its sections; what stands outside of them is another program's.
/// </summary>
public sealed class HostSettings
{
    // Read by the framework itself.
    private static readonly string[] FrameworkKeys = ["environment", "contentRoot", "webRoot", "applicationName", "AllowedHosts"];
    private static readonly string[] FrameworkSections = ["Logging", "Kestrel"];

    private readonly Dictionary<string, HostSetting> _settings = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _lists = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, HostSetting> _groups = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<Func<IConfiguration, IEnumerable<string>>> _rules = [];

    /// <summary>Adds a setting that the host cannot do without.</summary>
    /// <param name="key">Its key, as in <c>Volume:Root</c>.</param>
    /// <param name="allowed">What is allowed, as in "the directory that all hosts share".</param>
    /// <param name="find">What is wrong with a value, as in "is malformed", without repeating a secret; null when nothing is.</param>
    public HostSettings AddRequired(string key, string allowed, Func<string, string?> find) =>
        Add(new HostSetting(key, allowed, find) { IsRequired = true });

    /// <summary>Adds a setting that need not be set.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="allowed">What is allowed.</param>
    /// <param name="usual">What holds where it is not set; null for nothing.</param>
    /// <param name="find">What is wrong with a value; null when nothing is.</param>
    public HostSettings AddOptional(string key, string allowed, string? usual, Func<string, string?> find) =>
        Add(new HostSetting(key, allowed, find) { Default = usual });

    /// <summary>Adds the properties of an options class, with the limits that its attributes state.</summary>
    /// <param name="section">The section that it is bound to.</param>
    public HostSettings AddOptions<TOptions>(string section)
        where TOptions : class, new()
    {
        var defaults = new TOptions();
        foreach (var property in typeof(TOptions).GetProperties().Where(property => property.CanWrite))
        {
            Add(HostSetting.Of(section, property, defaults));
        }

        if (defaults is IValidatableObject)
        {
            _rules.Add(configuration => Check(section, configuration.GetSection(section).Get<TOptions>() ?? defaults));
        }

        return this;
    }

    /// <summary>Adds a list of texts, written as <c>KEY__0</c>, <c>KEY__1</c> …</summary>
    /// <param name="key">Its key, as in <c>Data:Roots</c>.</param>
    public HostSettings AddList(string key)
    {
        _lists.Add(key);
        return this;
    }

    /// <summary>Adds settings of one kind whose names are anybody's.</summary>
    /// <param name="key">What their keys begin with, as in <c>Logging:LogLevel</c>.</param>
    /// <param name="name">What stands for the names, as in <c>CATEGORY</c>.</param>
    /// <param name="allowed">What is allowed.</param>
    /// <param name="find">What is wrong with a value; null when nothing is.</param>
    public HostSettings AddGroup(string key, string name, string allowed, Func<string, string?> find)
    {
        _groups.Add(key, new HostSetting($"{key}:{name}", allowed, find));
        return this;
    }

    /// <summary>Everything that is wrong, a line each; empty when the host may begin.</summary>
    /// <param name="configuration">All settings, from wherever they come.</param>
    public IReadOnlyList<string> FindErrors(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var errors = new List<string>();
        foreach (var setting in _settings.Values)
        {
            if (configuration[setting.Key] is not { } value || (setting.IsRequired && string.IsNullOrWhiteSpace(value)))
            {
                if (setting.IsRequired)
                {
                    errors.Add($"{setting.Variable} is not set; give {setting.Allowed}.");
                }
            }
            else if (setting.Find(value) is { } wrong)
            {
                errors.Add($"{setting.Variable} {(value.Length == 0 ? "is empty" : wrong)}; it must be {setting.Allowed}.");
            }
        }

        errors.AddRange(FindErrorsOfGroups(configuration));

        // Rules between settings are about settings that are right by themselves.
        if (errors.Count == 0)
        {
            errors.AddRange(_rules.SelectMany(rule => rule(configuration)));
        }

        errors.AddRange(FindUnknown(configuration));
        return errors;
    }

    /// <summary>What is wrong with a program's arguments, which are settings and nothing else.</summary>
    /// <param name="args">As <c>--KEY=VALUE</c> or <c>--KEY VALUE</c>.</param>
    public IReadOnlyList<string> FindErrors(IReadOnlyList<string> args)
    {
        ArgumentNullException.ThrowIfNull(args);
        var errors = new List<string>();
        for (var i = 0; i < args.Count; i++)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal) || args[i].Length == 2)
            {
                errors.Add(
                    $"{SettingText.Quote(args[i])} is neither a command nor a setting; settings are written --KEY=VALUE. --help lists what there is."
                );
                continue;
            }

            var parts = args[i][2..].Split('=', 2);
            if (parts.Length == 1 && (++i == args.Count || args[i].StartsWith("--", StringComparison.Ordinal)))
            {
                errors.Add($"--{parts[0]} has no value; write --{parts[0]}=VALUE. --help lists what there is.");
                i--;
            }
            else if (
                !IsKnown(parts[0])
                && !_settings.ContainsKey(parts[0])
                && !Sections.Contains(parts[0].Split(':')[0], StringComparer.OrdinalIgnoreCase)
            )
            {
                errors.Add(
                    $"--{parts[0]} is no setting of this host{(StrictText.Nearest(parts[0], FrameworkKeys.Concat(_settings.Keys)) is { } nearest ? $"; did you mean --{nearest}?" : ".")} --help lists what there is."
                );
            }
        }

        return errors;
    }

    /// <summary>All settings with what is allowed and what holds where they are not set.</summary>
    /// <param name="program">The host's name.</param>
    public string Describe(string program)
    {
        var lines = _settings
            .Values.Concat(_groups.Values)
            .Select(setting =>
                (
                    setting.Variable,
                    Text: $"{setting.Allowed}{(setting.IsRequired ? " (required)" : setting.Default is { } usual ? $" (default: {usual})" : "")}"
                )
            )
            .Concat(_lists.Select(list => (Variable: $"{HostSetting.VariableOf(list)}__0, __1 …", Text: "one or more")))
            .OrderBy(line => line.Variable, StringComparer.Ordinal)
            .ToList();
        var width = lines.Max(line => line.Variable.Length);
        return $"{program}: set by environment variables, or by arguments written --KEY=VALUE with ':' for '__'.{Environment.NewLine}"
            + string.Join(Environment.NewLine, lines.Select(line => $"  {line.Variable.PadRight(width)}  {line.Text}"));
    }

    private IEnumerable<string> Sections =>
        _settings
            .Keys.Concat(_lists)
            .Concat(OwnGroups)
            .Where(key => key.Contains(':', StringComparison.Ordinal))
            .Select(key => key.Split(':')[0])
            .Distinct(StringComparer.OrdinalIgnoreCase);

    /// <summary>Groups in sections that the framework knows nothing of.</summary>
    private IEnumerable<string> OwnGroups => _groups.Keys.Where(key => !IsKnown(key));

    private static bool IsKnown(string key) =>
        FrameworkKeys.Contains(key, StringComparer.OrdinalIgnoreCase)
        || FrameworkSections.Contains(key.Split(':')[0], StringComparer.OrdinalIgnoreCase);

    private static IEnumerable<string> Check(string section, object options)
    {
        var results = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), results, validateAllProperties: true);
        return results.Select(result => $"{HostSetting.VariableOf($"{section}:{result.MemberNames.First()}")} {result.ErrorMessage}.");
    }

    private HostSettings Add(HostSetting setting)
    {
        _settings.Add(setting.Key, setting);
        return this;
    }

    private IEnumerable<string> FindErrorsOfGroups(IConfiguration configuration) =>
        from one in _groups
        from setting in configuration.GetSection(one.Key).AsEnumerable()
        let wrong = setting.Value is { } value ? one.Value.Find(value) : null
        where wrong is not null
        select $"{HostSetting.VariableOf(setting.Key)} {(setting.Value!.Length == 0 ? "is empty" : wrong)}; it must be {one.Value.Allowed}.";

    /// <summary>Settings in sections of ours that nothing reads, and such as were meant to be in one.</summary>
    private IEnumerable<string> FindUnknown(IConfiguration configuration)
    {
        foreach (var section in Sections.ToList())
        {
            foreach (var (key, value) in configuration.GetSection(section).AsEnumerable())
            {
                if (
                    value is null
                    || _settings.ContainsKey(key)
                    || IsEntry(key)
                    || _groups.Keys.Any(group => key.StartsWith(group + ":", StringComparison.OrdinalIgnoreCase))
                )
                {
                    continue;
                }

                var known = _settings
                    .Keys.Concat(_lists)
                    .Concat(OwnGroups)
                    .Where(other => other.StartsWith(section + ":", StringComparison.OrdinalIgnoreCase))
                    .Select(other => other[(section.Length + 1)..])
                    .ToList();
                if (StrictText.Nearest(key[(section.Length + 1)..], known) is { } nearest)
                {
                    yield return $"{HostSetting.VariableOf(key)} is no setting; did you mean {HostSetting.VariableOf($"{section}:{nearest}")}?";
                }
                else if (!string.Equals(section, "ConnectionStrings", StringComparison.OrdinalIgnoreCase))
                {
                    // Connection strings may be another program's.
                    yield return $"{HostSetting.VariableOf(key)} is no setting; known are {string.Join(", ", known.Select(name => HostSetting.VariableOf($"{section}:{name}")))}.";
                }
            }
        }

        foreach (var child in configuration.GetChildren().Where(child => !Sections.Contains(child.Key, StringComparer.OrdinalIgnoreCase)))
        {
            // Training_Threads, or Trainig__Threads: for another program it would be a strange coincidence.
            var meant = child.Value is not null
                ? _settings.Keys.FirstOrDefault(key =>
                    key.Contains(':', StringComparison.Ordinal)
                    && string.Equals(key.Replace(":", "_", StringComparison.Ordinal), child.Key, StringComparison.Ordinal)
                )
                : child
                    .GetChildren()
                    .Select(inner =>
                        StrictText.Nearest(child.Key, Sections) is { } section && _settings.ContainsKey($"{section}:{inner.Key}")
                            ? $"{section}:{inner.Key}"
                            : null
                    )
                    .FirstOrDefault(key => key is not null);
            if (meant is not null)
            {
                yield return $"{(child.Value is not null ? child.Key : $"{child.Key}__{meant.Split(':')[1]}")} is no setting; did you mean {HostSetting.VariableOf(meant)}?";
            }
        }
    }

    private bool IsEntry(string key)
    {
        var last = key.LastIndexOf(':');
        return last > 0 && _lists.Contains(key[..last]) && key[(last + 1)..].All(char.IsAsciiDigit);
    }
}
