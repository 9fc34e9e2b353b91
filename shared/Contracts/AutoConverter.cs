using System.Text.Json;
using System.Text.Json.Serialization;

namespace Distributed.Contracts;

/// <summary>A choice that may be left to the system: a nullable member, and <c>auto</c> in JSON.</summary>
internal static class AutoConverter
{
    public const string Auto = "auto";

    public static bool IsFor(Type type) => Nullable.GetUnderlyingType(type)?.IsEnum == true;

    public static JsonConverter Create(Type type) =>
        (JsonConverter)Activator.CreateInstance(typeof(Converter<>).MakeGenericType(Nullable.GetUnderlyingType(type)!))!;

    private sealed class Converter<T> : JsonConverter<T?>
        where T : struct, Enum
    {
        public override bool HandleNull => true;

        public override T? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.GetString() is { } name && name != Auto ? ChoiceName.Parse<T>(name) : null;

        public override void Write(Utf8JsonWriter writer, T? value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value is { } choice ? ChoiceName.Of(choice) : Auto);
    }
}
