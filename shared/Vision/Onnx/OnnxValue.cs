namespace Distributed.Vision.Onnx;

/// <summary>Name, type and shape of an input or output.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ElementType">Number in onnx.proto's TensorProto.DataType; 1 is float32.</param>
/// <param name="Shape">Extents; null where one differs from call to call, and null for all where nothing is said.</param>
internal sealed record OnnxValue(string Name, long ElementType, IReadOnlyList<long?>? Shape)
{
    public static OnnxValue Read(ProtobufReader value)
    {
        var (name, elementType, shape) = ("", 0L, default(List<long?>));
        Each(
            value,
            field =>
                field == 1 ? () => name = value.Text()
                : field == 2 ? () => ReadType(value.Message())
                : null
        );
        return new OnnxValue(name, elementType, shape);

        void ReadType(ProtobufReader type) => Each(type, field => field == 1 ? () => ReadTensorType(type.Message()) : null);

        void ReadTensorType(ProtobufReader tensor) =>
            Each(
                tensor,
                field =>
                    field == 1 ? () => elementType = tensor.Integer()
                    : field == 2 ? () => ReadShape(tensor.Message())
                    : null
            );

        void ReadShape(ProtobufReader dimensions)
        {
            shape = [];
            Each(dimensions, field => field == 1 ? () => shape.Add(ReadDimension(dimensions.Message())) : null);
        }

        static long? ReadDimension(ProtobufReader dimension)
        {
            long? extent = null;
            Each(dimension, field => field == 1 ? () => extent = dimension.Integer() : null);
            return extent > 0 ? extent : null;
        }

        static void Each(ProtobufReader message, Func<int, Action?> reading)
        {
            while (message.Next() is not 0 and var field)
            {
                (reading(field) ?? message.Skip)();
            }
        }
    }
}
