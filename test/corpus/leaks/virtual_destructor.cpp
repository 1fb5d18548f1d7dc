/* corpus
 * what: deleted by a base without a virtual destructor, so that what the derived class holds stays
 * kind: C++
 */
#include "../corpus.h"

struct Shape {
	long area = 0;
	virtual long measure() { return area; }
};

struct Polygon : Shape {
	double *corners;

	APART Polygon()
	{
		corners = new double[20]; // LEAK
		use(corners, 20 * sizeof(double));
	}
	~Polygon() { delete[] corners; }
	Polygon(const Polygon &) = delete;
	Polygon &operator=(const Polygon &) = delete;
	long measure() override { return (long)corners[0]; }
};

#pragma GCC diagnostic ignored "-Wdelete-non-virtual-dtor"

int main(int argc, char **argv)
{
	begin(argc, argv);
	long sum = 0;

	while (next_tick()) {
		Shape *shape = new Polygon;

		sum += shape->measure();
		// Of the same size on purpose: only what it holds is lost.
		memset(static_cast<void *>(&static_cast<Polygon *>(shape)->corners), 0, sizeof(double *));
		delete shape;
	}
	clean_stack();
	return sum == 1;
}
