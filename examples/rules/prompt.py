from elsewhere import Pool


def double(number):
    print("doubling", number)
    return 2 * number


with Pool() as pool:
    print(pool.map(double, [21]))
