using System.Runtime.InteropServices;

namespace Distributed.Datasets.Sources;

/// <summary>Draws one image of the sample data set: a shape of its class among clutter, in colours that say nothing about the class.</summary>
internal static class SampleImage
{
    private const int Side = Stl10Files.Side;

    // Samples a pixel, in each direction.
    private const int Oversampling = 2;

    // What makes the set harder or easier to learn.
    private const double SmallestRadius = 30;
    private const double LargestRadius = 42;
    private const double MostTilt = 0.25;
    private const double LeastContrast = 130;
    private const double MostNoise = 12;
    private const int MostClutter = 2;

    public static byte[] Draw(SampleShape shape, SampleRandom random)
    {
        var background = new Background(random);
        var layers = Compose(shape, background, random);
        var pixels = new byte[Stl10Files.ImageBytes];
        var noise = random.Between(4, MostNoise);
        for (var y = 0; y < Side; y++)
        {
            for (var x = 0; x < Side; x++)
            {
                var colour = PixelAt(x, y, background, layers);
                var at = ((y * Side) + x) * 3;
                pixels[at] = WithNoise(colour.R, noise, random);
                pixels[at + 1] = WithNoise(colour.G, noise, random);
                pixels[at + 2] = WithNoise(colour.B, noise, random);
            }
        }

        return pixels;
    }

    private static List<Layer> Compose(SampleShape shape, Background background, SampleRandom random)
    {
        var layers = new List<Layer>();
        AddClutter(layers, random.Below(MostClutter + 1), background, random);
        var radius = random.Between(SmallestRadius, LargestRadius);
        layers.Add(new Layer(shape, radius, margin: 0.9 * radius, Colour.Contrasting(background.Middle, LeastContrast, random), random));
        return layers;
    }

    // Small shapes of any class that has a form of its own: finding one somewhere says nothing about the image.
    private static void AddClutter(List<Layer> layers, int count, Background background, SampleRandom random)
    {
        for (var i = 0; i < count; i++)
        {
            var shape = (SampleShape)random.Below((int)SampleShape.Stripes);
            layers.Add(
                new Layer(shape, random.Between(3, 9), margin: 0, Colour.Contrasting(background.Middle, LeastContrast / 2, random), random)
            );
        }
    }

    private static Colour PixelAt(int x, int y, Background background, List<Layer> layers)
    {
        var behind = background.At(x, y);
        var sum = default(Colour);
        for (var sample = 0; sample < Oversampling * Oversampling; sample++)
        {
            var sampleX = x + (((sample % Oversampling) + 0.5) / Oversampling);
            var sampleY = y + (((sample / Oversampling) + 0.5) / Oversampling);
            var colour = behind;
            for (var i = layers.Count - 1; i >= 0; i--)
            {
                if (layers[i].Covers(sampleX, sampleY))
                {
                    colour = layers[i].ColourAt(sampleX);
                    break;
                }
            }

            sum = sum.Plus(colour);
        }

        return sum.Times(1.0 / (Oversampling * Oversampling));
    }

    // The sum of two uniform numbers, both from one draw.
    private static byte WithNoise(double value, double noise, SampleRandom random)
    {
        var bits = random.Next();
        var triangular = (((uint)bits + (double)(uint)(bits >> 32)) / uint.MaxValue) - 1.0;
        return (byte)Math.Clamp((int)(value + (noise * triangular) + 0.5), 0, 255);
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Colour(double R, double G, double B)
    {
        public static Colour Any(SampleRandom random) => new(random.Between(20, 235), random.Between(20, 235), random.Between(20, 235));

        public static Colour Contrasting(Colour other, double least, SampleRandom random)
        {
            while (true)
            {
                var colour = Any(random);
                var (r, g, b) = (colour.R - other.R, colour.G - other.G, colour.B - other.B);
                if ((r * r) + (g * g) + (b * b) > least * least)
                {
                    return colour;
                }
            }
        }

        public Colour Plus(Colour other) => new(R + other.R, G + other.G, B + other.B);

        public Colour Times(double factor) => new(R * factor, G * factor, B * factor);
    }

    /// <summary>Two colours that run into each other, under cloudy changes of brightness.</summary>
    private sealed class Background
    {
        private const int Cells = 6;

        private readonly Colour _from;
        private readonly Colour _step;
        private readonly double _cloudiness;
        private readonly double[] _clouds = new double[(Cells + 1) * (Cells + 1)];
        private readonly (double X, double Y) _direction;

        public Background(SampleRandom random)
        {
            var (first, second) = (Colour.Any(random), Colour.Any(random));
            // Half of the way between two colours: enough to be seen, and the middle stays a colour to contrast with.
            _from = first.Times(0.75).Plus(second.Times(0.25));
            _step = second.Plus(first.Times(-1)).Times(0.5);
            Middle = _from.Plus(_step.Times(0.5));
            _direction = random.Direction();
            _cloudiness = random.Between(0, 15);
            for (var i = 0; i < _clouds.Length; i++)
            {
                _clouds[i] = random.Between(-1, 1);
            }
        }

        public Colour Middle { get; }

        public Colour At(int x, int y)
        {
            var along = Math.Clamp(0.5 + (((_direction.X * (x - (Side / 2))) + (_direction.Y * (y - (Side / 2)))) / Side), 0, 1);
            var (cellX, cellY) = ((double)x * Cells / Side, (double)y * Cells / Side);
            var (column, row) = ((int)cellX, (int)cellY);
            var (partX, partY) = (cellX - column, cellY - row);
            var corner = (row * (Cells + 1)) + column;
            var upper = _clouds[corner] + (partX * (_clouds[corner + 1] - _clouds[corner]));
            var lower = _clouds[corner + Cells + 1] + (partX * (_clouds[corner + Cells + 2] - _clouds[corner + Cells + 1]));
            var cloud = _cloudiness * (upper + (partY * (lower - upper)));
            return _from.Plus(_step.Times(along)).Plus(new Colour(cloud, cloud, cloud));
        }
    }

    /// <summary>One shape in its place, size, rotation, proportions and colour.</summary>
    private sealed class Layer
    {
        private readonly SampleShape _shape;
        private readonly Colour _colour;
        private readonly double _shade;
        private readonly double _x;
        private readonly double _y;
        private readonly double _scaleX;
        private readonly double _scaleY;
        private readonly double _reachSquared;
        private readonly double _frequency;
        private readonly (double X, double Y) _direction;

        public Layer(SampleShape shape, double radius, double margin, Colour colour, SampleRandom random)
        {
            _shape = shape;
            _colour = colour;
            _shade = random.Between(-0.8, 0.8);
            _x = random.Between(margin, Side - margin);
            _y = random.Between(margin, Side - margin);
            _direction = random.Tilt(MostTilt);
            _scaleX = 1 / radius;
            _scaleY = 1 / (radius * random.Between(0.75, 1));
            _reachSquared = radius * radius * SampleShapes.Reach * SampleShapes.Reach;
            // A period of 8 to 16 pixels, whatever the size of the patch.
            _frequency = radius / random.Between(8, 16);
        }

        public bool Covers(double x, double y)
        {
            var (dx, dy) = (x - _x, y - _y);
            return (dx * dx) + (dy * dy) < _reachSquared
                && SampleShapes.Contains(
                    _shape,
                    ((dx * _direction.X) + (dy * _direction.Y)) * _scaleX,
                    ((dy * _direction.X) - (dx * _direction.Y)) * _scaleY,
                    _frequency
                );
        }

        public Colour ColourAt(double x)
        {
            var light = _shade * (x - _x);
            return _colour.Plus(new Colour(light, light, light));
        }
    }
}
