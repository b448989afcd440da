// The Python module, written by hand against the limited API of Python 3.11: one build serves all later versions.
//
// setup.py compiles it three times: MISTWORKS_NAME is _baseline, _avx2 or _avx512. Arrays come by the buffer protocol
// and are read and written without the GIL.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <atomic>
#include <cstring>
#include <exception>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "groups.h"
#include "ranks.h"

#define MISTWORKS_QUOTED(name) #name
#define MISTWORKS_STRING(name) MISTWORKS_QUOTED(name)
#define MISTWORKS_JOINED(a, b) a##b
#define MISTWORKS_INIT(name) MISTWORKS_JOINED(PyInit_, name)

namespace {

constexpr int FEWEST_POINTS = 5;
constexpr Py_ssize_t MOST_POINTS = Py_ssize_t(1) << 23;

// A buffer for as long as it lives.
class Array {
  public:
    Array() = default;
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    Array(Array&& other) noexcept : view_(other.view_) { other.view_.obj = nullptr; }
    ~Array() {
        if (view_.obj) PyBuffer_Release(&view_);
    }
    // C-contiguous, of `dimensions`; sets an error and returns false if it is not.
    bool open(PyObject* object, int dimensions, bool writable) {
        const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(object, &view_, flags)) {
            view_.obj = nullptr;
            return false;
        }
        if (view_.ndim == dimensions) return true;
        PyErr_Format(PyExc_ValueError, "Expected an array of %d dimensions, got %d.", dimensions, view_.ndim);
        return false;
    }
    // Letter of the format without byte order; 'q' for all signed numbers of 8 bytes.
    char kind() const {
        const char* format = view_.format ? view_.format : "B";
        if (*format == '@' || *format == '=' || *format == '<') ++format;
        if (std::strlen(format) != 1) return '?';
        const char letter = *format;
        if (std::strchr("ilq", letter)) return view_.itemsize == 8 ? 'q' : view_.itemsize == 4 ? 'i' : '?';
        if (std::strchr("ILQ", letter)) return view_.itemsize == 8 ? 'Q' : '?';
        return letter;
    }
    bool is(char expected) const {
        if (kind() == expected) return true;
        PyErr_Format(PyExc_TypeError, "Expected an array of format '%c', got '%s'.", expected,
                     view_.format ? view_.format : "B");
        return false;
    }
    Py_ssize_t size(int axis) const { return view_.shape[axis]; }
    template <class T> T* data() const { return static_cast<T*>(view_.buf); }

  private:
    Py_buffer view_ = {};
};

struct Task {
    Array ranks;
    int dx;
};

// Opens half ranks of shape (d, n) with dx columns of X.
bool open_task(PyObject* ranks, long dx, Task& task) {
    if (!task.ranks.open(ranks, 2, false) || !task.ranks.is('i')) return false;
    const Py_ssize_t d = task.ranks.size(0), n = task.ranks.size(1);
    if (n < FEWEST_POINTS || n > MOST_POINTS) {
        PyErr_Format(PyExc_ValueError, "Expected %d to %zd points, got %zd.", FEWEST_POINTS, MOST_POINTS, n);
        return false;
    }
    if (dx < 1 || dx >= d || d > 1 << 14) {
        PyErr_Format(PyExc_ValueError, "Expected 1 to %zd columns of X, got %ld.", d - 1, dx);
        return false;
    }
    // The code indexes tables by ranks.
    const int32_t* values = task.ranks.data<const int32_t>();
    const uint32_t most = static_cast<uint32_t>(2 * n - 2);
    uint32_t greatest = 0;
    for (Py_ssize_t i = 0; i < d * n; ++i) {
        const uint32_t value = static_cast<uint32_t>(values[i]);
        greatest = value > greatest ? value : greatest;
    }
    if (greatest > most) {
        PyErr_Format(PyExc_ValueError, "Expected half ranks from 0 to %ld.", static_cast<long>(most));
        return false;
    }
    task.dx = static_cast<int>(dx);
    return true;
}

// An exception that left the code as one of Python's.
PyObject* raised(std::exception_ptr exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "Unknown error in compiled statistics.");
    }
    return nullptr;
}

// Runs `work` without the GIL; None, or null with an error set.
template <class Work> PyObject* without_gil(Work work) {
    std::exception_ptr exception;
    PyThreadState* state = PyEval_SaveThread();
    try {
        work();
    } catch (...) {
        exception = std::current_exception();
    }
    PyEval_RestoreThread(state);
    if (exception) return raised(exception);
    return Py_NewRef(Py_None);
}

void compute(const Task& task, float* out) {
    mistworks::summarise(task.ranks.data<const int32_t>(), static_cast<int>(task.ranks.size(1)), task.dx,
                         static_cast<int>(task.ranks.size(0)), out);
}

void compute_all(const std::vector<Task>& tasks, float* out, int threads) {
    std::atomic<size_t> next(0);
    std::atomic<bool> failed(false);
    std::exception_ptr exception;
    const size_t width = mistworks::statistic_count();
    auto work = [&] {
        try {
            for (size_t i; !failed && (i = next++) < tasks.size();) compute(tasks[i], out + i * width);
        } catch (...) {
            if (!failed.exchange(true)) exception = std::current_exception();
        }
    };
    std::vector<std::thread> others;
    // Fewer threads than asked for if the system has no more.
    try {
        for (int i = 1; i < threads; ++i) others.emplace_back(work);
    } catch (const std::system_error&) {
    }
    work();
    for (std::thread& other : others) other.join();
    if (exception) std::rethrow_exception(exception);
}

PyObject* half_ranks(PyObject*, PyObject* arguments) {
    PyObject *columns, *out;
    if (!PyArg_ParseTuple(arguments, "OO", &columns, &out)) return nullptr;
    Array values, ranks;
    if (!values.open(columns, 2, false) || !ranks.open(out, 2, true) || !ranks.is('i')) return nullptr;
    if (values.size(0) != ranks.size(0) || values.size(1) != ranks.size(1) || values.size(1) > MOST_POINTS) {
        PyErr_SetString(PyExc_ValueError, "Expected values and ranks of one shape with at most 2^23 points.");
        return nullptr;
    }
    const int d = static_cast<int>(values.size(0)), n = static_cast<int>(values.size(1));
    int32_t* to = ranks.data<int32_t>();
    switch (values.kind()) {
        case 'd': return without_gil([&] { mistworks::half_ranks(values.data<const double>(), n, d, to); });
        case 'f': return without_gil([&] { mistworks::half_ranks(values.data<const float>(), n, d, to); });
        case 'q': return without_gil([&] { mistworks::half_ranks(values.data<const int64_t>(), n, d, to); });
        case 'Q': return without_gil([&] { mistworks::half_ranks(values.data<const uint64_t>(), n, d, to); });
    }
    PyErr_SetString(PyExc_TypeError, "Expected values of float64, float32, int64 or uint64.");
    return nullptr;
}

PyObject* summarise_many(PyObject*, PyObject* arguments) {
    PyObject *samples, *out;
    int threads;
    if (!PyArg_ParseTuple(arguments, "OOi", &samples, &out, &threads)) return nullptr;
    if (!PyList_Check(samples)) {
        PyErr_SetString(PyExc_TypeError, "Expected a list of (ranks, dx).");
        return nullptr;
    }
    Array table;
    if (!table.open(out, 2, true) || !table.is('f')) return nullptr;
    const Py_ssize_t count = PyList_Size(samples);
    if (table.size(0) != count || table.size(1) != mistworks::statistic_count()) {
        PyErr_Format(PyExc_ValueError, "Expected a table of shape (%zd, %d).", count, mistworks::statistic_count());
        return nullptr;
    }
    std::vector<Task> tasks;
    try {
        tasks.resize(static_cast<size_t>(count));
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject *ranks, *pair = PyList_GetItem(samples, i);
        long dx;
        if (!PyArg_ParseTuple(pair, "Ol", &ranks, &dx) || !open_task(ranks, dx, tasks[static_cast<size_t>(i)]))
            return nullptr;
    }
    return without_gil([&] { compute_all(tasks, table.data<float>(), threads); });
}

PyObject* untied(PyObject*, PyObject* arguments) {
    PyObject *ranks, *out;
    long dx;
    if (!PyArg_ParseTuple(arguments, "OlO", &ranks, &dx, &out)) return nullptr;
    Task task;
    Array parted;
    if (!open_task(ranks, dx, task) || !parted.open(out, 2, true) || !parted.is('i')) return nullptr;
    if (parted.size(0) != task.ranks.size(0) || parted.size(1) != task.ranks.size(1)) {
        PyErr_SetString(PyExc_ValueError, "Expected ranks and result of one shape.");
        return nullptr;
    }
    return without_gil([&] {
        mistworks::untied(task.ranks.data<const int32_t>(), static_cast<int>(task.ranks.size(1)), task.dx,
                          static_cast<int>(task.ranks.size(0)), parted.data<int32_t>());
    });
}

PyObject* groups(PyObject*, PyObject*) {
    PyObject* list = PyList_New(0);
    if (!list) return nullptr;
    for (int i = 0; i < mistworks::GROUP_COUNT; ++i) {
        const mistworks::Group& group = mistworks::GROUPS[i];
        PyObject* entry = Py_BuildValue("(ssi)", group.group, group.statistic, group.count);
        if (!entry || PyList_Append(list, entry)) {
            Py_XDECREF(entry);
            Py_DECREF(list);
            return nullptr;
        }
        Py_DECREF(entry);
    }
    return list;
}

// A hash of the sources that this was compiled from, given by setup.py.
PyObject* sources(PyObject*, PyObject*) { return Py_BuildValue("s", MISTWORKS_STRING(MISTWORKS_SOURCES)); }

// The builds that this processor and operating system can run, the best last.
PyObject* runnable(PyObject*, PyObject*) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl");
    if (avx512) return Py_BuildValue("(sss)", "baseline", "avx2", "avx512");
    if (avx2) return Py_BuildValue("(ss)", "baseline", "avx2");
#endif
    return Py_BuildValue("(s)", "baseline");
}

PyMethodDef METHODS[] = {
    {"half_ranks", half_ranks, METH_VARARGS,
     "half_ranks(columns, out): half ranks of columns (d, n) of float64, float32, int64 or uint64 into int32 (d, n)."},
    {"untied", untied, METH_VARARGS,
     "untied(ranks, dx, out): half ranks int32 (d, n) with ties broken into int32 (d, n)."},
    {"summarise_many", summarise_many, METH_VARARGS,
     "summarise_many(samples, out, threads): statistics of a list of (half ranks int32 (d, n), dx) into float32 "
     "(len(samples), S)."},
    {"groups", groups, METH_NOARGS, "groups(): (group, function, number of statistics) in their order."},
    {"sources", sources, METH_NOARGS, "sources(): hash of the sources that this was compiled from."},
    {"runnable", runnable, METH_NOARGS, "runnable(): instruction sets that the machine has, the best last."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot SLOTS[] = {{0, nullptr}};

PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT,
    MISTWORKS_STRING(MISTWORKS_NAME),
    "Statistics of samples; see mistworks.native.",
    0,
    METHODS,
    SLOTS,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace

PyMODINIT_FUNC MISTWORKS_INIT(MISTWORKS_NAME)(void) { return PyModuleDef_Init(&MODULE); }
